"""Laws of the engine over random commands, against a naive market that keeps one list of orders."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from chain.refusals import Refusal
from exchange.commands import (
    CASH,
    AccountExited,
    CancelOrder,
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
)
from exchange.engine import apply
from exchange.invariants import check
from exchange.reports import Report, Trade
from exchange.state import State, state_hash
from tests.exchange.world import ACCOUNTS, UNIT, deposit_id, order_id

accounts = st.sampled_from(ACCOUNTS)
placed = st.builds(
    PlaceOrder,
    order_id=st.integers(1, 60).map(order_id),
    account=accounts,
    unit=st.just(UNIT),
    side=st.sampled_from(Side),
    kind=st.sampled_from([OrderKind.LIMIT, *OrderKind]),
    quantity_t=st.integers(1, 30),
    price_fen=st.integers(95, 105),
    at_us=st.just(7),
).map(
    lambda c: (
        c
        if c.kind is not OrderKind.MARKET
        else PlaceOrder(c.order_id, c.account, c.unit, c.side, c.kind, c.quantity_t, 0, c.at_us)
    )
)
cancelled = st.builds(
    CancelOrder, order_id=st.integers(1, 60).map(order_id), account=accounts, at_us=st.just(8)
)
reduced = st.builds(
    ReduceOrder,
    order_id=st.integers(1, 60).map(order_id),
    account=accounts,
    quantity_t=st.integers(0, 25),
    at_us=st.just(8),
)
withdrawn = st.builds(
    RequestWithdrawal,
    withdrawal_id=st.integers(1, 5).map(order_id),
    account=accounts,
    asset=st.sampled_from([CASH, UNIT]),
    amount=st.integers(1, 2_000),
    at_us=st.just(9),
)
credited = st.builds(
    Credit,
    deposit_id=st.integers(100, 110).map(deposit_id),
    account=accounts,
    asset=st.sampled_from([CASH, UNIT]),
    amount=st.integers(1, 3_000),
)
exited = st.builds(
    AccountExited,
    tx_hash=st.just(b"x" * 32),
    log_index=st.integers(0, 3),
    account=accounts,
    asset=st.sampled_from([CASH, UNIT]),
    amount=st.integers(1, 5_000),
)
closed = st.builds(CloseEpoch, epoch=st.integers(1, 4), at_us=st.just(10))
anything = st.one_of(placed, placed, placed, cancelled, reduced, credited, withdrawn, closed, exited)
histories = st.lists(anything, max_size=60)


def opening() -> list[Command]:
    commands: list[Command] = [ListInstrument(UNIT, 1, 1, 25)]
    for number, account in enumerate(ACCOUNTS):
        commands.append(Credit(deposit_id(2 * number), account, CASH, 4_000))
        commands.append(Credit(deposit_id(2 * number + 1), account, UNIT, 40))
    return commands


def started() -> State:
    state = State()
    for command in opening():
        apply(state, command)
    return state


def outcome(state: State, command: Command) -> list[Report] | tuple[str, object]:
    try:
        return apply(state, command)
    except Refusal as refusal:
        return refusal.code, refusal.facts


@settings(max_examples=150)
@given(histories)
def test_whatever_is_sent_every_invariant_holds_and_a_refusal_changes_nothing(history: list[Command]) -> None:
    state = started()
    for command in history:
        before = state_hash(state)
        answer = outcome(state, command)
        check(state)
        if isinstance(answer, tuple):
            assert state_hash(state) == before


@settings(max_examples=50)
@given(histories)
def test_the_same_commands_give_the_same_state_and_the_same_reports(history: list[Command]) -> None:
    one, other = started(), started()
    assert [outcome(one, command) for command in history] == [outcome(other, command) for command in history]
    assert state_hash(one) == state_hash(other)


@settings(max_examples=50)
@given(histories)
def test_sending_an_accepted_command_again_changes_nothing_and_answers_the_same(
    history: list[Command],
) -> None:
    state = started()
    for command in history:
        answer = outcome(state, command)
        if isinstance(answer, list):
            before = state_hash(state)
            assert outcome(state, command) == answer
            assert state_hash(state) == before


@settings(max_examples=50)
@given(histories)
def test_an_account_is_never_on_both_sides_of_a_trade(history: list[Command]) -> None:
    state = started()
    for command in history:
        outcome(state, command)
    assert all(trade.buyer != trade.seller for trade in state.trades)


@settings(max_examples=100)
@given(histories)
def test_a_fill_or_kill_order_is_filled_whole_or_leaves_no_trace(history: list[Command]) -> None:
    state = started()
    for command in history:
        outcome(state, command)
    for order in state.orders.values():
        if order.kind is OrderKind.FOK:
            assert order.remaining_t == 0


# --- the naive market ---


@dataclass
class NaiveOrder:
    name: bytes
    account: bytes
    side: Side
    price_fen: int
    left_t: int
    market_cash: bool = False


@dataclass
class NaiveMarket:
    """Price-time matching told the slow way: sort everything, take the first, again and again."""

    cash: dict[bytes, int] = field(default_factory=lambda: dict.fromkeys(ACCOUNTS, 4_000))
    tonnes: dict[bytes, int] = field(default_factory=lambda: dict.fromkeys(ACCOUNTS, 40))
    resting: list[NaiveOrder] = field(default_factory=list)
    seen: set[bytes] = field(default_factory=set)
    tape: list[tuple[bytes, bytes, int, int]] = field(default_factory=list)

    def free_cash(self, account: bytes) -> int:
        orders = [o for o in self.resting if o.account == account and o.side is Side.BUY]
        return self.cash[account] - sum(o.left_t * o.price_fen for o in orders)

    def free_tonnes(self, account: bytes) -> int:
        orders = [o for o in self.resting if o.account == account and o.side is Side.SELL]
        return self.tonnes[account] - sum(o.left_t for o in orders)

    def candidates(self, order: PlaceOrder) -> list[NaiveOrder]:
        """Who trades with this order, in price-time order (sorting keeps the order of arrival)."""
        sign = 1 if order.side is Side.BUY else -1
        others = [o for o in self.resting if o.side is not order.side]
        if order.kind is not OrderKind.MARKET:
            others = [o for o in others if sign * o.price_fen <= sign * order.price_fen]
        return sorted(others, key=lambda o: sign * o.price_fen)

    def can_pay(self, order: PlaceOrder) -> bool:
        if order.side is Side.SELL:
            return self.free_tonnes(order.account) >= order.quantity_t
        return self.free_cash(order.account) >= order.quantity_t * order.price_fen  # 0 for a market order

    def place(self, order: PlaceOrder) -> None:
        if order.order_id in self.seen or order.quantity_t > 25:
            return
        candidates = self.candidates(order)
        own = [place for place, other in enumerate(candidates) if other.account == order.account]
        before_own = candidates[: own[0]] if own else candidates
        if not self.can_pay(order):
            return
        if order.kind is OrderKind.FOK and sum(o.left_t for o in before_own) < order.quantity_t:
            return
        self.seen.add(order.order_id)
        market_buy = order.side is Side.BUY and order.kind is OrderKind.MARKET
        left_t = order.quantity_t
        for other in before_own:
            if left_t == 0:
                break
            quantity_t = min(left_t, other.left_t)
            if market_buy:
                quantity_t = min(quantity_t, self.free_cash(order.account) // other.price_fen)
                if quantity_t == 0:
                    break
            buyer, seller = (
                (order.account, other.account) if order.side is Side.BUY else (other.account, order.account)
            )
            self.cash[buyer] -= quantity_t * other.price_fen
            self.cash[seller] += quantity_t * other.price_fen
            self.tonnes[buyer] += quantity_t
            self.tonnes[seller] -= quantity_t
            other.left_t -= quantity_t
            left_t -= quantity_t
            self.tape.append((other.name, order.order_id, other.price_fen, quantity_t))
        self.resting = [other for other in self.resting if other.left_t]
        if left_t and order.kind is OrderKind.LIMIT and not own:
            self.resting.append(
                NaiveOrder(order.order_id, order.account, order.side, order.price_fen, left_t)
            )

    def cancel(self, command: CancelOrder) -> None:
        self.resting = [o for o in self.resting if (o.name, o.account) != (command.order_id, command.account)]


@settings(max_examples=300)
@given(st.lists(st.one_of(placed, placed, placed, cancelled), max_size=80))
def test_the_engine_trades_as_the_naive_market_does(history: list[PlaceOrder | CancelOrder]) -> None:
    state, naive = started(), NaiveMarket()
    for command in history:
        outcome(state, command)
        if isinstance(command, PlaceOrder):
            naive.place(command)
        else:
            naive.cancel(command)
        assert [_as_naive(trade) for trade in state.trades] == naive.tape
        for account in ACCOUNTS:
            balances = state.ledger.accounts[account]
            assert balances[CASH].available == naive.free_cash(account)
            assert balances[CASH].available + balances[CASH].reserved == naive.cash[account]
            assert balances[UNIT].available == naive.free_tonnes(account)


def _as_naive(trade: Trade) -> tuple[bytes, bytes, int, int]:
    return trade.maker_order, trade.taker_order, trade.price_fen, trade.quantity_t


@given(histories)
def test_epochs_settle_in_order_each_once(history: list[Command]) -> None:
    state = started()
    for command in history:
        outcome(state, command)
    for epoch in list(state.epochs):
        settled = EpochSettled(epoch.number, epoch.tape_root, 5, bytes(32))
        first = apply(state, settled)
        assert apply(state, settled) == first
        check(state)
        assert {state.trade_state(trade) for trade in state.trades_of(epoch)} == {"settled"}
    assert state.settled_epoch == len(state.epochs)
