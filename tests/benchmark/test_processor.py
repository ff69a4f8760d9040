"""What /proc/cpuinfo says about products in int8, in the words of several processors."""

from __future__ import annotations

import pytest

from onnxpress.benchmark.processor import int8_in_words, int8_instructions

CASES: dict[str, tuple[str, str]] = {
    "Sapphire Rapids": (
        "model name\t: Intel(R) Xeon(R)\nflags\t\t: avx2 avx512_vnni amx_tile amx_int8 avx_vnni\n",
        "AMX, AVX-512 VNNI, AVX VNNI",
    ),
    "Haswell": (
        "model name\t: Intel(R) Core(TM)\nflags\t\t: sse4_2 avx avx2 fma\n",
        "none: nets in int8 are as small here, and gain less time",
    ),
    "Graviton 3": (
        "processor\t: 0\nFeatures\t: fp asimd atomics asimddp sve i8mm bf16\n",
        "NEON dot product, NEON matrix product",
    ),
    "no Linux": ("", "this system does not say which instructions for int8 the CPU has"),
}


@pytest.mark.parametrize(("information", "words"), CASES.values(), ids=CASES)
def test_instructions_are_named(information: str, words: str) -> None:
    assert int8_in_words(int8_instructions(information)) == words
