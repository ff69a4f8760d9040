"""Zip files in memory, read with limits.

A member is unpacked to the size that it declares and no further.
"""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable

from onnxpress.estimators.stored.errors import Damaged

MOST_MEMBERS = 200_000
"""A forest has about three members a tree."""

SMALL_TOTAL = 1 << 30
LARGEST_RATIO = 20
"""All members unpacked may have ``SMALL_TOTAL`` bytes, or this many times the bytes of the file."""

LZMA_MEMORY = 256 << 20
"""Bytes that unpacking may take.

A file names its own need, and the strongest preset needs 65 MB.
"""

ENCRYPTED = 0x1
_LOCAL = struct.Struct(
    "<4s22xHH"
)  # signature, lengths of the name and of the extra field that follow
_LZMA = struct.Struct("<xxH")  # version, length of the properties that follow


class Archive:
    """The members of a zip file by name."""

    def __init__(self, data: bytes | memoryview, most: int | None = None) -> None:
        """Read the directory. ``most`` bytes may all members have when unpacked.

        Raises:
            Damaged: it is not a zip file, is encrypted, holds a name twice, or holds more than a
                stored estimator does.
        """
        self._data = memoryview(data).cast("B")
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in _directory(data if isinstance(data, bytes) else bytes(data)):
            if info.filename in self._members:
                raise Damaged(f"it has two members of the name {info.filename!r}")
            if info.flag_bits & ENCRYPTED:
                raise Damaged("it is encrypted")
            self._members[info.filename] = info
        self.total = sum(info.file_size for info in self._members.values())
        """Bytes of all members when unpacked."""
        self.limit = max(SMALL_TOTAL, LARGEST_RATIO * len(self._data)) if most is None else most
        if self.total > self.limit:
            raise Damaged(
                f"its members have {self.total >> 20} MB when unpacked, "
                f"which is out of proportion to its size"
            )

    def __contains__(self, name: str) -> bool:
        """Whether it has a member of that name."""
        return name in self._members

    def read(self, name: str, most: int | None = None) -> memoryview:
        """The bytes of a member.

        Raises:
            Damaged: no member has that name, it has more than ``most`` bytes, or they are cut or
                changed.
        """
        info = self._members.get(name)
        if info is None:
            raise Damaged(f"it has no member {name!r}")
        if most is not None and info.file_size > most:
            raise Damaged(f"its member {name!r} has more than {most >> 20} MB")
        try:
            content = UNPACK[info.compress_type](self._packed(info), info.file_size)
        except KeyError as error:
            raise Damaged(f"its member {name!r} is compressed in a way that is not read") from error
        except (OSError, EOFError, ValueError, struct.error, zlib.error, lzma.LZMAError) as error:
            raise Damaged(f"its member {name!r} is cut or changed") from error
        if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
            raise Damaged(f"its member {name!r} is cut or changed")
        return content

    def _packed(self, info: zipfile.ZipInfo) -> memoryview:
        start = info.header_offset
        signature, name, extra = _LOCAL.unpack(self._data[start : start + _LOCAL.size])
        if signature != b"PK\3\4":
            raise ValueError("no member begins where the directory says so")
        begin = start + _LOCAL.size + name + extra
        return self._data[begin : begin + info.compress_size]


def _directory(data: bytes) -> list[zipfile.ZipInfo]:
    if data.count(b"PK\1\2") > MOST_MEMBERS:
        raise Damaged(f"it has more than {MOST_MEMBERS} members")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.infolist()
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        ValueError,
        EOFError,
        OverflowError,
        struct.error,
    ) as error:
        raise Damaged("it is not a zip file, or is cut") from error


def _stored(packed: memoryview, _size: int) -> memoryview:
    return packed


def _deflated(packed: memoryview, size: int) -> memoryview:
    return memoryview(zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1))


def _bzip2(packed: memoryview, size: int) -> memoryview:
    return memoryview(bz2.BZ2Decompressor().decompress(packed, size + 1))


def _lzma(packed: memoryview, size: int) -> memoryview:
    """A zip file says the size elsewhere.

    With it in between, the properties are the header of a .lzma file.
    """
    (length,) = _LZMA.unpack(packed[: _LZMA.size])
    properties, rest = packed[_LZMA.size : _LZMA.size + length], packed[_LZMA.size + length :]
    alone = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=LZMA_MEMORY)
    header = bytes(properties) + struct.pack("<q", -1)
    return memoryview(alone.decompress(header, 0) + alone.decompress(rest, size + 1))


UNPACK: dict[int, Callable[[memoryview, int], memoryview]] = {
    zipfile.ZIP_STORED: _stored,
    zipfile.ZIP_DEFLATED: _deflated,
    zipfile.ZIP_BZIP2: _bzip2,
    zipfile.ZIP_LZMA: _lzma,
}
