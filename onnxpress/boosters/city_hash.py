"""CatBoost's number of a category: the lower half of its text's CityHash64, version 1.

The hash is Google's, of 2011 (G. Pike, J. Alakuijala), which CatBoost has kept; later versions and
the packages of PyPI give other numbers. Texts are hashed as UTF-8.
"""

from __future__ import annotations

MASK = 2**64 - 1
K0, K1 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273
K2, K3 = 0x9AE16A3B2F90404F, 0xC949D7C7509E6557
MERGE = 0x9DDFEA08EB382D69
LOWER_HALF = 2**32 - 1
BLOCK = 64


def category_hash(category: str) -> int:
    """Return CatBoost's number of a category, below 2**32."""
    return city_hash(category.encode()) & LOWER_HALF


def city_hash(data: bytes) -> int:
    """Return CityHash64 of version 1, below 2**64."""
    size = len(data)
    if size <= 16:
        return _up_to_16(data)
    if size <= 32:
        return _up_to_32(data)
    if size <= BLOCK:
        return _up_to_64(data)
    return _longer(data)


def _word(data: bytes, place: int) -> int:
    """Return 8 bytes as a number; a negative place counts from the end."""
    place += len(data) if place < 0 else 0
    return int.from_bytes(data[place : place + 8], "little")


def _rotate(value: int, shift: int) -> int:
    return (value >> shift | value << (64 - shift)) & MASK


def _mix(value: int) -> int:
    return value ^ value >> 47


def _merge(low: int, high: int) -> int:
    first = _mix((low ^ high) * MERGE & MASK)
    second = _mix((high ^ first) * MERGE & MASK)
    return second * MERGE & MASK


def _up_to_16(data: bytes) -> int:
    size = len(data)
    if size > 8:
        last = _word(data, -8)
        return _merge(_word(data, 0), _rotate((last + size) & MASK, size)) ^ last
    if size >= 4:
        first = int.from_bytes(data[:4], "little")
        return _merge(size + (first << 3), int.from_bytes(data[-4:], "little"))
    if size == 0:
        return K2
    low, high = data[0] + (data[size >> 1] << 8), size + (data[-1] << 2)
    return _mix((low * K2 ^ high * K3) & MASK) * K2 & MASK


def _up_to_32(data: bytes) -> int:
    size = len(data)
    a, b = _word(data, 0) * K1 & MASK, _word(data, 8)
    c, d = _word(data, -8) * K2 & MASK, _word(data, -16) * K0 & MASK
    low = _rotate((a - b) & MASK, 43) + _rotate(c, 30) + d
    high = a + _rotate(b ^ K3, 20) - c + size
    return _merge(low & MASK, high & MASK)


def _half(a: int, z: int, words: tuple[int, int, int]) -> tuple[int, int]:
    """Return the sums of half of a text of up to 64 bytes."""
    b, c = _rotate((a + z) & MASK, 52), _rotate(a, 37)
    a = (a + words[0]) & MASK
    c += _rotate(a, 7)
    a = (a + words[1]) & MASK
    return (a + words[2]) & MASK, (b + _rotate(a, 31) + c) & MASK


def _up_to_64(data: bytes) -> int:
    size, z = len(data), _word(data, 24)
    a = (_word(data, 0) + (size + _word(data, -16)) * K0) & MASK
    first = _half(a, z, (_word(data, 8), _word(data, 16), z))
    a, z = (_word(data, 16) + _word(data, -32)) & MASK, _word(data, -8)
    second = _half(a, z, (_word(data, -24), _word(data, -16), z))
    mixed = _mix(((first[0] + second[1]) * K2 + (second[0] + first[1]) * K0) & MASK)
    return _mix((mixed * K0 + first[1]) & MASK) * K2 & MASK


def _weak(data: bytes, place: int, a: int, b: int) -> tuple[int, int]:
    """Return two sums of the 32 bytes at ``place`` and of two seeds."""
    place += len(data) if place < 0 else 0
    w, x, y, z = (_word(data, place + 8 * index) for index in range(4))
    a = (a + w) & MASK
    b = _rotate((b + a + z) & MASK, 21)
    first = a
    a = (a + x + y) & MASK
    b += _rotate(a, 44)
    return (a + z) & MASK, (b + first) & MASK


def _longer(data: bytes) -> int:
    size = len(data)
    x, y, z = _word(data, 0), _word(data, -16) ^ K1, _word(data, -56) ^ K0
    v = _weak(data, -64, size, y)
    w = _weak(data, -32, size * K1 & MASK, K0)
    z = (z + _mix(v[1]) * K1) & MASK
    x, y = _rotate((z + x) & MASK, 39) * K1 & MASK, _rotate(y, 33) * K1 & MASK
    for place in range(0, (size - 1) // BLOCK * BLOCK, BLOCK):
        x = _rotate((x + y + v[0] + _word(data, place + 16)) & MASK, 37) * K1 & MASK
        y = _rotate((y + v[1] + _word(data, place + 48)) & MASK, 42) * K1 & MASK
        x, y = x ^ w[1], y ^ v[0]
        z = _rotate(z ^ w[0], 33)
        v = _weak(data, place, v[1] * K1 & MASK, (x + w[0]) & MASK)
        w = _weak(data, place + 32, (z + w[1]) & MASK, y)
        x, z = z, x
    low = _merge(v[0], w[0]) + _mix(y) * K1 + z
    return _merge(low & MASK, (_merge(v[1], w[1]) + x) & MASK)
