"""A crash kept every sector of the last frame but the first, which holds little of it: its head alone.

The frame was taken for one that somebody had altered, and the exchange did not start.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange.core import records
from exchange.journal import FRAME_HEAD_BYTES, Identity, Journal

IDENTITY = Identity(1337, b"\x11" * 20)
RUN = records.register(b"\x01" * 20)


@pytest.mark.parametrize("records_before", range(1, 9))
def test_a_frame_that_lacks_its_first_sector_was_never_finished(tmp_path: Path, records_before: int) -> None:
    path = tmp_path / "journal"
    journal = Journal.open(path, IDENTITY)
    assert not list(journal.replay())
    journal.append([RUN * records_before])
    first = journal.end
    journal.append([RUN * 20])
    journal.close()
    content = bytearray(path.read_bytes())
    sector = min(-first.offset % 512 or 512, FRAME_HEAD_BYTES * 8)
    content[first.offset : first.offset + sector] = bytes(sector)
    path.write_bytes(content)

    journal = Journal.open(path, IDENTITY)
    assert [frame.end for frame in journal.replay()] == [first]
    assert path.stat().st_size == first.offset
    journal.close()


@pytest.mark.parametrize("kept", [1, 30, 60])
def test_what_is_too_short_for_a_frame_was_never_finished(tmp_path: Path, kept: int) -> None:
    """A full disk took 64 bytes of a frame, and a power cut all of these but the first."""
    path = tmp_path / "journal"
    journal = Journal.open(path, IDENTITY)
    assert not list(journal.replay())
    journal.append([RUN])
    first = journal.end
    journal.append([RUN * 2])
    journal.close()
    torn = path.read_bytes()[: first.offset + kept].ljust(first.offset + 64, b"\0")
    path.write_bytes(torn)
    journal = Journal.open(path, IDENTITY)
    assert [frame.end for frame in journal.replay()] == [first]
    journal.close()
