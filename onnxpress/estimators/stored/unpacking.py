"""Compressed files: the formats that joblib writes, unpacked within a limit."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from onnxpress.estimators.stored.errors import Damaged

LARGEST = 8 << 30
"""Bytes that a file may have once it is unpacked, unless the caller says otherwise."""

CHUNK = 1 << 20
LZMA_MEMORY = 256 << 20
"""Bytes that lzma may take; a file names its own need, and joblib's strongest needs 65 MB."""

JOBLIB_0_9 = b"ZF0x"


def unpacked(data: bytes | memoryview, largest: int = LARGEST) -> memoryview:
    """The bytes themselves, or what they are the compressed form of.

    Raises:
        Damaged: cut or changed, more than ``largest`` bytes when unpacked, or of an unknown format.
    """
    view = memoryview(data).cast("B")
    head = bytes(view[:6])
    if head.startswith(JOBLIB_0_9):
        raise Damaged("it is of joblib 0.9 or older, which is not read")
    for magic, pieces in FORMATS.items():
        if head.startswith(magic):
            return _joined(pieces(view), largest)
    return view


def _joined(pieces: Iterator[bytes], largest: int) -> memoryview:
    kept = bytearray()
    try:
        for piece in pieces:
            if len(kept) + len(piece) > largest:
                raise Damaged(f"it has more than {largest >> 20} MB when unpacked")
            kept += piece
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise Damaged(f"its compressed data are cut or changed: {error}") from error
    return memoryview(kept).toreadonly()


def _zlib(view: memoryview) -> Iterator[bytes]:
    stream = zlib.decompressobj()
    for start in range(0, len(view), CHUNK):
        fed: bytes | memoryview = view[start : start + CHUNK]
        while len(fed) and not stream.eof:
            yield stream.decompress(fed, CHUNK)
            fed = stream.unconsumed_tail
    yield stream.flush()
    if not stream.eof:
        raise EOFError("the end is missing")


def _lzma(view: memoryview) -> Iterator[bytes]:
    stream = lzma.LZMADecompressor(memlimit=LZMA_MEMORY)
    fed: bytes | memoryview = view
    while not stream.eof:
        if stream.needs_input and not len(fed):
            raise EOFError("the end is missing")
        yield stream.decompress(fed, CHUNK)
        fed = b""


def _file(opened: Callable[[Any], Any]) -> Callable[[memoryview], Iterator[bytes]]:
    """A reader of a format that has a file class."""

    def pieces(view: memoryview) -> Iterator[bytes]:
        file = opened(io.BytesIO(view))
        while piece := file.read(CHUNK):
            yield piece

    return pieces


def _open_lz4(raw: io.BytesIO) -> Any:
    try:
        from lz4.frame import LZ4FrameFile
    except ImportError as error:
        raise Damaged("it is compressed by lz4, which is not installed here") from error
    return LZ4FrameFile(raw)


FORMATS: dict[bytes, Callable[[memoryview], Iterator[bytes]]] = {
    b"\x78": _zlib,
    b"\x1f\x8b": _file(lambda raw: gzip.GzipFile(fileobj=raw)),
    b"BZ": _file(bz2.BZ2File),
    b"\xfd7zXZ": _lzma,
    b"\x5d\x00": _lzma,
    b"\x04\x22\x4d\x18": _file(_open_lz4),
}
"""How each format is read, by the bytes that its files begin with."""
