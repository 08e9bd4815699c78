"""The journal: durable, chained, cut where a write broke off, refused where a hand was at it."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange import journal as journal_module
from exchange.commands import (
    AccountExited,
    CancelOrder,
    ChainCursor,
    CloseEpoch,
    Command,
    Credit,
    EpochSettled,
    ListInstrument,
    OrderKind,
    PlaceOrder,
    ReduceOrder,
    RequestWithdrawal,
    Side,
    WithdrawalReleased,
)
from exchange.journal import FILE_HEAD_BYTES, Identity, Journal, read_commands, verify
from exchange.records import RecordMalformed, decode_all, encode, encode_all
from exchange.refusals import JournalCorrupt, JournalForeign, JournalLocked, JournalUnavailable

IDENTITY = Identity(chain_id=1337, clearing=b"\x11" * 20)

u64 = st.integers(0, 2**64 - 1)
u128 = st.integers(0, 2**128 - 1)
b16, b20, b32 = (st.binary(min_size=size, max_size=size) for size in (16, 20, 32))
commands = st.one_of(
    st.builds(ListInstrument, u128, u64, u64, u64),
    st.builds(Credit, b32, b20, u128, u128),
    st.builds(PlaceOrder, b16, b20, u128, st.sampled_from(Side), st.sampled_from(OrderKind), u64, u64, u64),
    st.builds(CancelOrder, b16, b20, u64),
    st.builds(ReduceOrder, b16, b20, u64, u64),
    st.builds(RequestWithdrawal, b16, b20, u128, u128, u64),
    st.builds(CloseEpoch, u64, u64),
    st.builds(EpochSettled, u64, b32, u64, b32),
    st.builds(WithdrawalReleased, b16, u64, b32),
    st.builds(ChainCursor, u64),
    st.builds(AccountExited, b32, st.integers(0, 2**32 - 1), b20, u128, u128),
)


@given(st.lists(commands, max_size=30))
def test_commands_come_back_from_bytes_as_they_went(batch: list[Command]) -> None:
    assert decode_all(encode_all(batch)) == batch


@given(st.binary(max_size=300))
def test_any_bytes_are_records_or_are_refused(payload: bytes) -> None:
    with contextlib.suppress(RecordMalformed):
        assert encode_all(decode_all(payload)) == payload


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_that_does_not_fit_is_refused_before_anything_is_written(number: int) -> None:
    with pytest.raises(RecordMalformed):
        encode(ChainCursor(number))


BATCHES: list[list[Command]] = [
    [ChainCursor(1)],
    [CloseEpoch(1, 5), PlaceOrder(b"i" * 16, b"a" * 20, 9, Side.BUY, OrderKind.FOK, 1, 2, 3)],
    [ChainCursor(3)],
]


def records(batch: list[Command]) -> list[bytes]:
    return [encode(command) for command in batch]


def written(path: Path, batches: list[list[Command]] = BATCHES) -> list[int]:
    """Write a journal and return where its header and each frame end."""
    ends = [FILE_HEAD_BYTES]
    journal = Journal.open(path, IDENTITY)
    assert list(journal.replay()) == []
    for batch in batches:
        journal.append(records(batch))
        ends.append(path.stat().st_size)
    journal.close()
    return ends


def replayed(path: Path) -> list[list[Command]]:
    journal = Journal.open(path, IDENTITY)
    try:
        return list(journal.replay())
    finally:
        journal.close()


def test_what_was_appended_is_replayed_in_order(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written(path)
    assert replayed(path) == BATCHES
    assert list(read_commands(path)) == [command for batch in BATCHES for command in batch]
    summary = verify(path)
    assert (summary.identity, summary.frames, summary.commands) == (IDENTITY, 3, 4)
    assert (summary.whole_bytes, summary.torn_bytes) == (path.stat().st_size, 0)


def test_it_goes_on_after_a_replay_under_the_same_chain(tmp_path: Path) -> None:
    path, whole = tmp_path / "journal", tmp_path / "whole"
    written(path, BATCHES[:2])
    journal = Journal.open(path, IDENTITY)
    list(journal.replay())
    journal.append(records(BATCHES[2]))
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
        assert list(journal.replay()) == BATCHES[:whole]
        assert path.stat().st_size == ends[whole]
        for batch in BATCHES[whole:]:
            journal.append(records(batch))
        journal.close()
        assert path.read_bytes() == content


def test_a_torn_write_that_the_disk_filled_with_zeros_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    ends = written(path)
    content = path.read_bytes()
    for size in range(ends[2], len(content) - 4):
        path.write_bytes(content[:size].ljust(len(content), b"\0"))
        assert replayed(path) == BATCHES[:2]
    path.write_bytes(content + bytes(4096))
    assert replayed(path) == BATCHES
    assert path.read_bytes() == content


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
    written(other, [[ChainCursor(2)], *BATCHES[1:]])
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


@pytest.mark.parametrize("broken", ["write", "fdatasync"])
def test_after_a_disk_error_nothing_more_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "journal"
    journal = Journal.open(path, IDENTITY)
    list(journal.replay())
    journal.append(records(BATCHES[0]))

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(journal_module.os, broken, fail)
        with pytest.raises(JournalUnavailable) as refusal:
            journal.append(records(BATCHES[1]))
    assert refusal.value.facts == {"reason": "No space left on device"}
    with pytest.raises(JournalUnavailable):
        journal.append(records(BATCHES[2]))
    journal.close()
    assert replayed(path)[0] == BATCHES[0]
