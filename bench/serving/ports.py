"""Free ports on loopback."""

from __future__ import annotations

import socket

from onnxpress.commands.serve.triton_server import HOST


def free_ports(count: int) -> range:
    """Return successive ports that nothing listens on."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            first = int(probe.getsockname()[1])
        ports = range(first, first + count)
        if ports[-1] < 2**16 and all(map(_is_free, ports)):
            return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
