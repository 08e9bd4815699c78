"""The journal: durable, chained, cut where a write broke off, refused where a hand was at it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from exchange import disk as disk_module
from exchange.journal import FILE_HEAD_BYTES, Frame, Identity, Journal, verify
from exchange.refusals import JournalCorrupt, JournalForeign, JournalLocked, JournalUnavailable

IDENTITY = Identity(chain_id=1337, clearing=b"\x11" * 20)

RUNS = [b"a" * 64, b"b" * 64 + b"c" * 128, bytes(64)]
"""What is in them is not the journal's business."""


def written(path: Path, runs: list[bytes] = RUNS) -> list[int]:
    """Write a journal and return where its header and each frame end."""
    ends = [FILE_HEAD_BYTES]
    journal = Journal.open(path, IDENTITY)
    assert list(journal.replay()) == []
    for run in runs:
        journal.append([run])
        ends.append(path.stat().st_size)
    journal.close()
    return ends


def replayed(path: Path) -> list[bytes]:
    journal = Journal.open(path, IDENTITY)
    try:
        return payloads(journal.replay())
    finally:
        journal.close()


def payloads(frames: Iterable[Frame]) -> list[bytes]:
    return [bytes(frame.payload) for frame in frames]


def test_what_was_appended_is_replayed_in_order(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written(path)
    assert replayed(path) == RUNS
    summary = verify(path)
    assert (summary.identity, summary.end.frames, summary.end.records) == (IDENTITY, 3, 5)
    assert (summary.end.offset, summary.torn_bytes) == (path.stat().st_size, 0)


def test_runs_appended_together_are_one_frame_and_records_are_numbered_from_1(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "journal", IDENTITY)
    assert list(journal.replay()) == []
    journal.append(RUNS[:2])
    journal.append(RUNS[2:])
    journal.close()
    journal = Journal.open(tmp_path / "journal", IDENTITY)
    assert [(frame.first, len(frame.payload)) for frame in journal.replay()] == [(1, 256), (5, 64)]
    journal.close()


def test_a_replay_can_begin_at_any_frame_and_knows_whether_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written(path)
    journal = Journal.open(path, IDENTITY)
    ends = [journal.start, *(frame.end for frame in journal.replay())]
    for number, end in enumerate(ends):
        assert journal.stands_at(end)
        assert not journal.stands_at(replace(end, hash=b"?" * 32)) or number == 0
        assert payloads(journal.replay(end)) == RUNS[number:]
    journal.close()
    path.write_bytes(path.read_bytes()[:-1])
    journal = Journal.open(path, IDENTITY)
    assert [journal.stands_at(end) for end in ends] == [True, True, True, False]
    journal.close()


def test_it_goes_on_after_a_replay_under_the_same_chain(tmp_path: Path) -> None:
    path, whole = tmp_path / "journal", tmp_path / "whole"
    written(path, RUNS[:2])
    journal = Journal.open(path, IDENTITY)
    payloads(journal.replay())
    journal.append([RUNS[2]])
    journal.close()
    written(whole)
    assert path.read_bytes() == whole.read_bytes()


def test_a_file_truncated_anywhere_keeps_its_whole_frames_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    ends = written(path)
    content = path.read_bytes()
    for size in range(FILE_HEAD_BYTES, len(content)):
        path.write_bytes(content[:size])
        whole = sum(end <= size for end in ends) - 1
        assert verify(path).torn_bytes == size - ends[whole]
        journal = Journal.open(path, IDENTITY)
        assert payloads(journal.replay()) == RUNS[:whole]
        assert path.stat().st_size == ends[whole]
        for run in RUNS[whole:]:
            journal.append([run])
        journal.close()
        assert path.read_bytes() == content


def test_a_torn_write_that_the_disk_filled_with_zeros_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    ends = written(path)
    content = path.read_bytes()
    for size in range(ends[2], len(content) - 8):
        path.write_bytes(content[:size].ljust(len(content), b"\0"))
        assert replayed(path) == RUNS[:2]
    path.write_bytes(content + bytes(4096))
    assert replayed(path) == RUNS
    assert path.read_bytes() == content


def test_a_last_frame_of_which_the_disk_left_a_sector_out_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    long = bytes(range(1, 65)) * 40
    ends = written(path, [RUNS[0], long])
    content = path.read_bytes()
    for sector in range(-(-ends[1] // 512) * 512, ends[2] - 512, 512):
        path.write_bytes(content[:sector] + bytes(512) + content[sector + 512 :])
        assert replayed(path) == [RUNS[0]]
    written(tmp_path / "longer", [RUNS[0], long, RUNS[1]])
    content = (tmp_path / "longer").read_bytes()
    path.write_bytes(content[:512] + bytes(512) + content[1024:])
    with pytest.raises(JournalCorrupt) as refusal:
        verify(path)
    assert refusal.value.facts["frame"] == 2


def test_every_flipped_byte_is_named_and_refused_and_nothing_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    ends = written(path)
    content = path.read_bytes()
    starts = [0, *ends[:-1]]
    for offset in range(len(content)):
        frame = sum(end <= offset for end in ends)
        for flip in (0x01, 0x80, content[offset]):  # one bit, another, and the byte made zero
            if flip == 0:
                continue
            altered = bytearray(content)
            altered[offset] ^= flip
            path.write_bytes(altered)
            for read in (replayed, verify):
                with pytest.raises(JournalCorrupt) as refusal:
                    read(path)
                assert (refusal.value.facts["frame"], refusal.value.facts["offset"]) == (
                    frame,
                    starts[frame],
                )
            assert path.read_bytes() == altered


def test_a_flipped_byte_before_a_torn_tail_is_still_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    ends = written(path)
    content = path.read_bytes()
    for offset in range(ends[0], ends[1]):
        altered = bytearray(content)
        altered[offset] ^= 0xFF
        for torn in (altered[: ends[2] + 20], altered + bytes(64)):
            path.write_bytes(torn)
            with pytest.raises(JournalCorrupt):
                verify(path)


@pytest.mark.parametrize("size", range(FILE_HEAD_BYTES))
def test_a_file_without_a_whole_header_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "journal"
    written(path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(JournalCorrupt) as refusal:
        replayed(path)
    assert refusal.value.facts["frame"] == 0


def test_frames_put_in_another_order_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    ends = written(path)
    content = path.read_bytes()
    path.write_bytes(content[: ends[0]] + content[ends[1] : ends[2]] + content[ends[0] : ends[1]])
    with pytest.raises(JournalCorrupt) as refusal:
        verify(path)
    assert refusal.value.facts["reason"] == "frame 2 stands where frame 1 belongs"


def test_a_frame_of_another_history_is_refused(tmp_path: Path) -> None:
    path, other = tmp_path / "journal", tmp_path / "other"
    ends = written(path)
    written(other, [b"x" * 64, *RUNS[1:]])
    path.write_bytes(path.read_bytes()[: ends[1]] + other.read_bytes()[ends[1] :])
    with pytest.raises(JournalCorrupt) as refusal:
        verify(path)
    assert refusal.value.facts["reason"] == "the frame does not follow the one before it"


def test_two_writers_are_refused(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "journal", IDENTITY)
    with pytest.raises(JournalLocked):
        Journal.open(tmp_path / "journal", IDENTITY)
    journal.close()
    Journal.open(tmp_path / "journal", IDENTITY).close()


def test_a_journal_of_another_deployment_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "journal")
    with pytest.raises(JournalForeign) as refusal:
        Journal.open(tmp_path / "journal", Identity(chain_id=7, clearing=b"\x22" * 20))
    assert (refusal.value.facts["chain_id"], refusal.value.facts["expected_chain_id"]) == (1337, 7)


@pytest.mark.parametrize("broken", ["pwrite", "fdatasync"])
def test_after_a_disk_error_nothing_more_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "journal"
    journal = Journal.open(path, IDENTITY)
    payloads(journal.replay())
    journal.append([RUNS[0]])

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(disk_module.os, broken, fail)
        with pytest.raises(JournalUnavailable) as refusal:
            journal.append([RUNS[1]])
    assert refusal.value.facts == {"reason": "No space left on device"}
    with pytest.raises(JournalUnavailable):
        journal.append([RUNS[2]])
    journal.close()
    assert replayed(path)[0] == RUNS[0]


def test_a_journal_of_the_older_format_is_called_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written(path)
    content = b"CARATJ01" + path.read_bytes()[8:]
    path.write_bytes(content)
    with pytest.raises(JournalCorrupt) as refusal:
        replayed(path)
    assert refusal.value.facts["reason"] == "the journal is of the format before this one, CARATJ01"
    assert path.read_bytes() == content
