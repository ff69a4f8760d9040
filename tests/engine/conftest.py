"""The cluster of these tests."""

from tests.support.clusters import client, local

__all__ = ["client", "local"]
