"""What an address of gRPC must be; real servers are in tests/slow/test_verify_endpoint.py."""

from __future__ import annotations

import importlib.util

import pytest

from onnxpress.commands.verify_endpoint.grpc_endpoint import GrpcEndpoint
from onnxpress.errors import UserError
from onnxpress.extras import naming_extras


@pytest.mark.parametrize(
    "address", ["grpc://host", "grpc://", "grpc://host:80/v2", "grpc://a b:80", "grpc:host:80"]
)
def test_what_is_no_address_is_a_line(address: str) -> None:
    with pytest.raises(UserError, match=r"^URL should be like grpc://127\.0\.0\.1:8001, got"):
        GrpcEndpoint(address, "model")


def test_a_login_is_refused_and_not_shown() -> None:
    with pytest.raises(UserError, match="without a login") as error:
        GrpcEndpoint("grpc://alicia:s3cr3tPW@host:80", "model")
    assert "s3cr3tPW" not in str(error.value)
    assert "ONNXPRESS_ENDPOINT_TOKEN" in str(error.value)


@pytest.mark.skipif(importlib.util.find_spec("tritonclient") is not None, reason="it is there")
def test_the_extra_is_named_where_it_is_missing() -> None:
    with pytest.raises(UserError, match=r"pip install 'onnxpress\[grpc\]'"), naming_extras():
        GrpcEndpoint("grpc://host:80", "model")
