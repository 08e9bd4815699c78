"""What goes on to the sequencer, and what a member sees: in Python and compiled, the same bytes."""

from __future__ import annotations

import random
import subprocess
import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.binary import filters
from exchange.core import ReferenceEngine, records
from exchange.core.codes import CommandKind, OrderType, Reject, ReportKind, Side, TermsFault, TimeInForce
from exchange.core.records import COMMAND, Report, reports_of
from tests.exchange.core.streams import INSTRUMENTS, PARTICIPANTS, Stream, batches, mutated, opening, order_id

try:
    from exchange.binary import _native
except ImportError:  # no C compiler when the package was installed
    _native = None  # type: ignore[assignment]

needs_compiled = pytest.mark.skipif(_native is None, reason="the filters were not compiled here")
NOW_US = 1_700_000_000_000_000


@pytest.fixture(params=["python", pytest.param("compiled", marks=needs_compiled)])
def hot(request: pytest.FixtureRequest) -> ModuleType:
    return filters if request.param == "python" else _native


def buy(number: int, participant: int = 0, **more: int) -> bytes:
    return records.new_order(order_id(number), participant, 1, Side.BUY, 5, 100, **more)  # type: ignore[arg-type]


def refusals(refused: list[tuple[int, bytes]]) -> list[tuple[int, int, int, int]]:
    """Position, code, a, b."""
    read = [(position, Report.unpack(record)) for position, record in refused]
    assert all(report.kind == ReportKind.REJECTED for _, report in read)
    return [(position, report.code, report.a, report.b) for position, report in read]


# --- screen ---


def test_every_record_is_stamped_and_carries_the_participant(hot: ModuleType) -> None:
    run = buy(1, at_us=5) + records.cancel(order_id(1), 7) + records.mass_cancel(0)
    clean, refused = hot.screen(run, 7, NOW_US)
    assert refused == []
    commands = [records.Command._make(each) for each in COMMAND.iter_unpack(clean)]
    assert [each.at_us for each in commands] == [NOW_US] * 3
    assert [each.participant for each in commands] == [7] * 3
    assert [each.kind for each in commands] == [13, 14, 16]


def test_terms_go_on_with_their_order(hot: ModuleType) -> None:
    run = buy(1, display=1) + buy(2)
    clean, refused = hot.screen(run, 7, NOW_US)
    assert refused == []
    assert clean[::64] == bytes([CommandKind.TERMS, CommandKind.NEW, CommandKind.NEW])


@pytest.mark.parametrize("kind", [*sorted({*CommandKind} - set(range(12, 17))), 18, 100, 128, 132, 255])
def test_kinds_that_are_not_a_members_are_refused(hot: ModuleType, kind: int) -> None:
    record = bytes([kind]) + bytes(63)
    clean, refused = hot.screen(buy(1) + record + buy(2), 7, NOW_US)
    assert len(clean) == 128
    assert refusals(refused) == [(1, Reject.UNKNOWN_KIND, kind, 0)]


def test_somebody_elses_participant_is_refused(hot: ModuleType) -> None:
    clean, refused = hot.screen(records.cancel(order_id(1), 8) + records.mass_cancel(6), 7, NOW_US)
    assert clean == b""
    assert refusals(refused) == [
        (0, Reject.UNKNOWN_PARTICIPANT, 8, 7),
        (0, Reject.UNKNOWN_PARTICIPANT, 6, 7),
    ]


def test_a_refusal_says_what_was_asked_for(hot: ModuleType) -> None:
    _, [(_, record)] = hot.screen(buy(3, 8), 7, NOW_US)
    report = Report.unpack(record)
    assert report == Report(
        ReportKind.REJECTED, Reject.UNKNOWN_PARTICIPANT, Side.BUY, type=CommandKind.NEW, instrument=1,
        id=order_id(3), participant=8, at_us=NOW_US, a=8, b=7,
    )  # fmt: skip


def test_a_heartbeat_is_answered_with_its_token(hot: ModuleType) -> None:
    token = bytes(range(16))
    clean, refused = hot.screen(buy(1) + bytes(16) + token + bytes(32), 7, NOW_US)
    assert len(clean) == 64
    assert refused == [(1, Report(0, id=token, at_us=NOW_US).pack())]


@pytest.mark.parametrize(
    "following",
    [b"", records.cancel(order_id(1), 0), buy(1, 8), bytes(64), records.terms(order_id(1), 2, 0, 0)],
    ids=["nothing", "cancel", "somebody else's order", "heartbeat", "terms"],
)
def test_terms_without_their_order_are_refused(hot: ModuleType, following: bytes) -> None:
    clean, refused = hot.screen(records.terms(order_id(1), 1, 0, 0) + following, 7, NOW_US)
    assert CommandKind.TERMS not in clean[::64]
    first = Report.unpack(refused[0][1])
    assert (first.code, first.a) == (Reject.TERMS_MISMATCH, TermsFault.NOT_TAKEN)


def test_terms_before_a_malformed_order_do_not_fall_on_the_next_members_order(hot: ModuleType) -> None:
    engine = ReferenceEngine()
    engine.apply(opening(random.Random(1)))
    malformed = bytearray(buy(1))
    malformed[1] = 9
    run = records.terms(order_id(1), 1, 0, 0) + bytes(malformed)
    engine.apply(hot.screen(run, 1, NOW_US)[0])
    neighbour = next(reports_of(engine.apply(buy(2, 2))))
    assert neighbour.code != Reject.TERMS_MISMATCH
    # What the core alone would have done: the next order of anybody is rejected.
    engine.apply(run)
    (victim,) = reports_of(engine.apply(buy(3, 2)))
    assert (victim.code, victim.a) == (Reject.TERMS_MISMATCH, TermsFault.NOT_TAKEN)


@pytest.mark.parametrize("length", [1, 63, 65])
def test_no_whole_records_are_a_fault_of_the_caller(hot: ModuleType, length: int) -> None:
    with pytest.raises(ValueError, match="no whole records"):
        hot.screen(bytes(length), 7, NOW_US)


@given(seed=st.integers(0, 2**32), wild=st.floats(0, 0.5))
def test_what_goes_on_is_never_malformed_and_leaves_nothing_staged(seed: int, wild: float) -> None:
    rng = random.Random(seed)
    engine = ReferenceEngine()
    engine.apply(opening(rng))
    for run in batches(rng, mutated(rng, Stream(rng, wild=wild).run(60), rng.choice((0.02, 0.3)))):
        clean, refused = filters.screen(run, rng.randint(1, PARTICIPANTS), NOW_US)
        assert len(clean) // 64 + len(refused) == len(run) // 64
        before = engine.counters()["sequence"]
        for report in reports_of(engine.apply(clean)):
            assert not (report.kind == ReportKind.REJECTED and report.code <= Reject.UNKNOWN_KIND)
        assert engine.counters()["sequence"] == before + len(clean) // 64
        assert engine._state.staged is None


# --- answer ---


def ordered(engine: ReferenceEngine) -> ReferenceEngine:
    """Participants 1 to 3 with money and tonnes in instrument 1."""
    run = [records.register(bytes([number]) * 20) for number in (1, 2, 3)]
    run.append(records.list_instrument(1001, 1, 1, 10**6))
    for who in (1, 2, 3):
        run.append(records.credit(who, 0, 10**6, bytes([who, 1]) * 16))
        run.append(records.credit(who, 1, 10**3, bytes([who, 2]) * 16))
    engine.apply(b"".join(run))
    return engine


def test_the_gateways_refusals_stand_where_the_command_stood(hot: ModuleType) -> None:
    engine = ordered(ReferenceEngine())
    bad = bytes([99]) + bytes(63)
    run = bad + buy(1) + bad + bad + buy(2, display=1) + bad
    clean, refused = hot.screen(run, 1, NOW_US)
    seen = list(reports_of(hot.answer(engine.apply(clean), 1, refused)))
    assert [ReportKind(each.kind).name for each in seen] == [
        *("REJECTED", "ACCEPTED", "RESTED", "REJECTED", "REJECTED"),
        *("TERMS_STAGED", "ACCEPTED", "RESTED", "REJECTED"),
    ]


def test_a_taker_sees_its_half_of_a_trade(hot: ModuleType) -> None:
    engine = ordered(ReferenceEngine())
    engine.apply(records.new_order(order_id(1), 2, 1, Side.SELL, 50, 100, display=10))
    reports = engine.apply(buy(2, 1))
    (trade,) = [each for each in reports_of(hot.answer(reports, 1, [])) if each.kind == ReportKind.TRADE]
    assert (trade.id, trade.participant, trade.price, trade.quantity) == (order_id(2), 1, 100, 5)
    assert (trade.other_id, trade.other, trade.left, trade.b) == (bytes(16), 0, 0, 0)


def test_what_a_command_does_to_others_is_not_in_its_answer(hot: ModuleType) -> None:
    engine = ordered(ReferenceEngine())
    engine.apply(
        records.new_order(
            order_id(1), 2, 1, Side.BUY, 5, 90, tif=TimeInForce.GTD, expiry_us=NOW_US, at_us=NOW_US - 9
        )
        + records.new_order(order_id(2), 2, 1, Side.SELL, 5, 100)
        + records.new_order(order_id(3), 3, 1, Side.BUY, 5, 101, type_=OrderType.STOP_LIMIT, stop=100)
        + records.new_order(order_id(4), 2, 1, Side.SELL, 5, 101)
    )
    reports = engine.apply(buy(5, 1, at_us=NOW_US))
    caused = {ReportKind(each.kind).name for each in reports_of(reports)}
    assert {"EXPIRED", "TRIGGERED", "TRADE"} <= caused
    seen = list(reports_of(hot.answer(reports, 1, [])))
    assert [ReportKind(each.kind).name for each in seen] == ["ACCEPTED", "TRADE", "FILLED"]
    heard = {who: list(reports_of(each)) for who, each in hot.for_others(reports, (2, 3)).items()}
    assert [ReportKind(each.kind).name for each in heard[2]] == ["EXPIRED", "TRADE", "TRADE"]
    assert [ReportKind(each.kind).name for each in heard[3]] == ["TRIGGERED", "TRADE", "FILLED"]


# --- for_others ---


def test_a_maker_hears_of_its_fill(hot: ModuleType) -> None:
    engine = ordered(ReferenceEngine())
    engine.apply(records.new_order(order_id(1), 2, 1, Side.SELL, 50, 100))
    heard = hot.for_others(engine.apply(buy(2, 1)), (2, 3))
    assert list(heard) == [2]
    (trade,) = reports_of(heard[2])
    assert (trade.kind, trade.other_id, trade.other, trade.left) == (ReportKind.TRADE, order_id(1), 2, 45)
    assert (trade.id, trade.participant, trade.a) == (bytes(16), 0, 0)


def test_what_is_public_reaches_everybody(hot: ModuleType) -> None:
    reports = ordered(ReferenceEngine()).apply(records.list_instrument(1002, 1, 1, 5))
    assert hot.for_others(reports, (9, 2, 3)) == {9: reports, 2: reports, 3: reports}


def test_nobody_connected_hears_nothing(hot: ModuleType) -> None:
    reports = ordered(ReferenceEngine()).apply(buy(2, 1))
    assert hot.for_others(reports, ()) == {}
    assert hot.for_others(b"", (1,)) == {}


@given(seed=st.integers(0, 2**32))
def test_a_member_hears_everything_of_its_orders_and_nothing_of_others(seed: int) -> None:
    rng = random.Random(seed)
    engine = ReferenceEngine()
    engine.apply(opening(rng))
    reports = engine.apply(Stream(rng, wild=0.05).run(150))
    heard = filters.for_others(reports, tuple(range(1, PARTICIPANTS + 1)))
    told = list(reports_of(reports))
    for who in range(1, PARTICIPANTS + 1):
        mine = list(reports_of(heard.get(who, b"")))
        public = [each for each in told if 12 <= each.kind <= 16]
        assert [each for each in mine if 12 <= each.kind <= 16] == public
        parties = {each.participant for each in mine if each.kind not in (3, 12, 13, 14, 15, 16)}
        assert parties <= {who}
        trades = [each.number for each in mine if each.kind == ReportKind.TRADE]
        assert trades == [
            each.number for each in told if each.kind == 3 and who in (each.participant, each.other)
        ]
        assert all({each.participant, each.other} == {who, 0} for each in mine if each.kind == 3)


# --- the two implementations ---


@needs_compiled
@given(seed=st.integers(0, 2**32), wild=st.floats(0, 1), rate=st.sampled_from([0.0, 0.05, 0.3, 1.0]))
def test_both_implementations_give_the_same_bytes(seed: int, wild: float, rate: float) -> None:
    rng = random.Random(seed)
    engine = ReferenceEngine()
    engine.apply(opening(rng))
    connected = tuple(rng.sample(range(PARTICIPANTS + 3), rng.randint(0, PARTICIPANTS + 3)))
    nonsense = rng.randbytes(64 * rng.randrange(4)) + bytes(64 * rng.randrange(2))
    for run in [*batches(rng, mutated(rng, Stream(rng, wild=wild).run(80), rate)), nonsense]:
        who = rng.randint(0, PARTICIPANTS + 1)
        clean, refused = filters.screen(run, who, NOW_US)
        assert (clean, refused) == _native.screen(run, who, NOW_US)
        reports = engine.apply(clean)
        assert filters.answer(reports, who, refused) == _native.answer(reports, who, refused)
        every = engine.apply(run)
        assert filters.for_others(every, connected) == _native.for_others(every, connected)


@needs_compiled
@given(
    fields=st.tuples(
        *[st.sampled_from([12, 13, 13, 13, 14, 15, 16])],
        *[st.integers(0, 9) for _ in range(5)],
        *[
            st.sampled_from([0, 1, INSTRUMENTS, 65535]),
            st.sampled_from([0, 1, 2]),
            st.sampled_from([0, 0, 0, 1]),
        ],
        *[st.sampled_from([bytes(16), order_id(1), order_id(2**127)])],
        *[st.sampled_from([0, 1, 2**64 - 1]) for _ in range(4)],
    )
)
def test_both_judge_a_record_alike(fields: tuple[int, ...]) -> None:
    record = COMMAND.pack(*fields)
    for run in (record, record + buy(1), records.terms(order_id(1), 1, 0, 0) + record):
        assert filters.screen(run, 1, NOW_US) == _native.screen(run, 1, NOW_US)


@needs_compiled
def test_many_members_hear_the_same_from_both() -> None:
    rng = random.Random(5)
    engine = ReferenceEngine()
    engine.apply(opening(rng))
    reports = engine.apply(Stream(rng).run(500))
    connected = (*range(300, 0, -1), 2**32 - 1)
    assert filters.for_others(reports, connected) == _native.for_others(reports, connected)


def test_without_the_compiled_filters_those_in_python_run() -> None:
    script = (
        "import sys; sys.modules['exchange.binary._native'] = None\n"
        "from exchange.binary import filters, hot\n"
        "assert (hot.screen, hot.answer, hot.for_others) == "
        "(filters.screen, filters.answer, filters.for_others)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "were not built" in done.stderr
