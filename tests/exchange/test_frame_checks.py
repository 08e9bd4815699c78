"""Checksums and hashes of frames: compiled or not, they are those of zlib and hashlib."""

from __future__ import annotations

import random
from hashlib import sha256
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.frame_checks import plain_checks

try:
    from exchange._frame_checks import checks
except ImportError:  # no C compiler when the package was installed
    checks = None  # type: ignore[assignment]

needs_compiled = pytest.mark.skipif(checks is None, reason="not compiled here: no C compiler when installed")


@needs_compiled
@given(seed=st.integers(0, 2**32), blocks=st.lists(st.integers(1, 40), max_size=7), fast=st.booleans())
def test_frames_of_any_lengths_get_the_same_compiled_or_not(seed: int, blocks: list[int], fast: bool) -> None:
    places, offset = [], 64 * (seed % 3)
    for count in blocks:
        places.append((offset, 64 * count))
        offset += 64 * (count + 2)
    content = random.Random(seed).randbytes(offset)
    found = checks(memoryview(content), places, fast)
    assert found == plain_checks(memoryview(content), places)
    assert found == [
        (crc32(content[at + 64 : at + 64 + size]), sha256(content[at : at + 64 + size]).digest())
        for at, size in places
    ]


@needs_compiled
@pytest.mark.parametrize("place", [(0, 0), (0, 63), (0, 128), (128, 64), (10**6, 64)])
def test_a_place_outside_or_of_no_whole_blocks_is_refused(place: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="is no frame"):
        checks(memoryview(bytes(128)), [place])
