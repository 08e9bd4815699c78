"""Who uses the exchange: members who keep their ids and repeat what was not answered, and the operator.

Each is a task outside the simulated process: no crash ends it. What it sends is made anew at each delivery,
with the time of that delivery and always the same ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Final, Protocol

from exchange.core import records
from exchange.core.codes import CASH, OrderType, Phase, ReportFlag, ReportKind, SelfTrade, Side, TimeInForce
from exchange.core.records import REPORT_BYTES, reports_of
from exchange.custody import withdrawal_transfer
from exchange.simulation.chain import SimulatedClearing

Make = Callable[[int, int], bytes]
"""A run from the sender's participant number and the time."""

FIRST_UNIT: Final = 0x2021
PRICE_FEN: Final = 5_000


class Exchange(Protocol):
    """The exchange as who uses it sees it."""

    random: Random
    clearing: SimulatedClearing
    is_calm: bool

    async def request(self, account: bytes, make: Make) -> bytes:
        """Send until it is answered; return the reports."""

    async def funded(self) -> None:
        """Return when the first deposits have come in."""

    def instruments(self) -> int:
        """Return how many units are listed."""

    def now_us(self) -> int:
        """Return the time."""

    def pass_time(self, by_us: int) -> None:
        """Set the machine's clock on, or back."""


class Member:
    """Sends orders, changes them, and takes money out."""

    def __init__(self, exchange: Exchange, account: bytes, acts: int, *, withdraws: bool) -> None:
        self.account = account
        self._exchange, self._random, self._acts = exchange, exchange.random, acts
        self._withdraws = withdraws
        self._orders: list[bytes] = []
        """Ids of orders, newest last."""
        self._sent: list[Make] = []
        """What may be sent again, long after."""

    async def run(self) -> None:
        """Do so many acts."""
        random = self._random
        await self._exchange.funded()
        for _ in range(self._acts):
            await asyncio.sleep(random.random() * 0.06)
            make = self._act()
            again = random.random() < 0.1 and bool(self._sent)
            answer = await self._exchange.request(
                self.account, random.choice(self._sent[-4:]) if again else make
            )
            if not again:
                self._sent.append(make)
            self._learn(answer)

    def _learn(self, answer: bytes) -> None:
        for place, kind in enumerate(answer[::REPORT_BYTES]):
            if kind == ReportKind.ACCEPTED:
                name = answer[place * REPORT_BYTES + 16 : place * REPORT_BYTES + 32]
                if name not in self._orders:
                    self._orders.append(name)

    def _act(self) -> Make:
        random = self._random
        found = random.random()
        if found < 0.68 or not self._orders:
            makes = [self._order() for _ in range(random.choice((1, 1, 2, 3, 6)))]
            return lambda who, at_us: b"".join(make(who, at_us) for make in makes)
        if found < 0.80:
            name = random.choice(self._orders[-12:])
            return lambda who, at_us: records.cancel(name, who, at_us)
        if found < 0.93:
            return self._amend()
        if found < 0.95 or not self._withdraws:
            what = random.randrange(self._exchange.instruments() + 1)
            return lambda who, at_us: records.mass_cancel(who, what, at_us)
        return self._withdrawal()

    def _amend(self) -> Make:
        random = self._random
        name, quantity = random.choice(self._orders[-12:]), random.randrange(1, 40)
        price = random.choice((0, 0, PRICE_FEN + random.randrange(-12, 13)))
        return lambda who, at_us: records.amend(name, who, quantity, price, at_us)

    def _withdrawal(self) -> Make:
        random = self._random
        asset = random.choice((CASH, 1 + random.randrange(max(1, self._exchange.instruments()))))
        most = random.choice((200_000, 3_000_000)) if asset == CASH else random.choice((60, 450))
        amount = 1 + random.randrange(most)
        transfer = withdrawal_transfer(random.randbytes(16))
        return lambda who, at_us: records.advance(at_us) + records.debit(who, asset, amount, transfer)

    def _order(self) -> Make:
        """One order of any type there is; most can trade."""
        random = self._random
        name = random.randbytes(16)
        instrument = 1 + random.randrange(max(1, self._exchange.instruments()))
        side = Side.BUY if random.random() < 0.5 else Side.SELL
        quantity = random.randrange(1, 30)
        away = 1 if side == Side.BUY else -1
        price = PRICE_FEN + away * random.randrange(-9, 5)
        stp = random.choice(list(SelfTrade))
        found = random.random()
        type_, tif, post_only, display, stop, expires = OrderType.LIMIT, TimeInForce.GTC, False, 0, 0, False
        if found < 0.08:
            type_, tif, price = OrderType.MARKET, TimeInForce.IOC, random.choice((0, price))
        elif found < 0.16:
            tif = TimeInForce.IOC
        elif found < 0.20:
            tif = TimeInForce.FOK
        elif found < 0.26:
            post_only = True
        elif found < 0.33:
            quantity, display = quantity + 10, random.randrange(1, 10)
        elif found < 0.40:
            type_, tif, price, stop = (
                OrderType.STOP,
                TimeInForce.GTC,
                0,
                PRICE_FEN + away * random.randrange(6),
            )
        elif found < 0.45:
            type_, stop = OrderType.STOP_LIMIT, PRICE_FEN + away * random.randrange(6)
        elif found < 0.52:
            tif = TimeInForce.DAY
        elif found < 0.58:
            tif, expires = TimeInForce.GTD, True
        after_us = random.randrange(10_000, 2_000_000)
        expiry_us = self._exchange.now_us() + after_us if expires else 0
        return lambda who, at_us: records.new_order(
            name,
            who,
            instrument,
            side,
            quantity,
            price,
            type_=type_,
            tif=tif,
            stp=stp,
            post_only=post_only,
            display=display,
            stop=stop,
            expiry_us=expiry_us,
            at_us=at_us,
        )


class Operator:
    """Lists units, sets rules, opens and halts, ends days, stops members, closes epochs."""

    def __init__(self, exchange: Exchange, members: list[bytes], units: int, acts: int) -> None:
        self._exchange, self._random = exchange, exchange.random
        self._members, self._acts = members, acts
        self._units = [FIRST_UNIT + number for number in range(units)]
        self._listed: list[int] = []

    async def run(self) -> None:
        """Open the market, then do so many acts in it."""
        random = self._random
        for unit in self._units:
            await self._list(unit, at_once=True)
        for _ in range(self._acts):
            await asyncio.sleep(random.random() * 0.15)
            await self._act(random.random())

    async def settle_down(self) -> None:
        """Leave the market so that everything can come to rest."""
        for unit in self._units:
            await self._list(unit, at_once=False)
        await self.close_epoch()

    async def _list(self, unit: int, *, at_once: bool) -> None:
        terms = 1, 1, 1_000_000
        if at_once and self._random.random() < 0.3:
            terms = 1, 1, 900_000
        answer = await self._do(lambda at_us: records.list_instrument(unit, *terms, at_us))
        report = next(reports_of(answer))
        if report.kind == ReportKind.LISTED:
            await self._do(lambda at_us: records.set_phase(report.instrument, Phase.CONTINUOUS, at_us))
            if report.instrument not in self._listed:
                self._listed.append(report.instrument)

    async def close_epoch(self) -> None:
        """Close the open epoch, if it has trades."""
        for number in range(1, 1_000):  # from the first on: those closed before say so
            report = next(reports_of(await self._close(number)))
            if report.kind != ReportKind.EPOCH_CLOSED or not report.flags & ReportFlag.REPEATED:
                return

    async def _close(self, number: int) -> bytes:
        return await self._do(lambda at_us: records.close_epoch(number, at_us))

    async def _act(self, found: float) -> None:
        random = self._random
        instrument = random.choice(self._listed) if self._listed else 1
        if found < 0.35:
            await self.close_epoch()
        elif found < 0.50:
            await self._set_rules(instrument)
        elif found < 0.58:
            price = random.choice((0, PRICE_FEN))
            await self._do(lambda at_us: records.set_reference(instrument, price, at_us))
        elif found < 0.70:
            await self._interrupt(instrument)
        elif found < 0.78:
            await self._stop_somebody()
        elif found < 0.84:
            self._exchange.pass_time(random.choice((-2_000_000, -50_000, 3_000_000, 60_000_000)))
        elif found < 0.90:
            self._exchange.pass_time(24 * 3600 * 1_000_000)
        elif found < 0.94:
            await self._do(records.day_end)
        else:
            account = random.choice(self._members)
            self._exchange.clearing.deposit(
                account, random.choice((CASH, *self._units)), random.randrange(1, 999)
            )

    async def _set_rules(self, instrument: int) -> None:
        random = self._random
        rates = random.choice(((0, 0), (100, 300), (0, 500)))
        collector = random.randrange(1, 3) if any(rates) or random.random() < 0.5 else 0
        band = random.choice((0, 0, 100_000, 1_000))
        limit = random.choice((0, 0, 2_000))
        bars = random.random() < 0.3
        await self._do(
            lambda at_us: records.set_rules(
                instrument,
                maker_ppm=rates[0],
                taker_ppm=rates[1],
                fee_participant=collector,
                band_ppm=band,
                position_limit=limit,
                no_same_day_resale=bars,
                at_us=at_us,
            )
        )

    async def _interrupt(self, instrument: int) -> None:
        random = self._random
        phase = random.choice((Phase.HALTED, Phase.AUCTION, Phase.AUCTION, Phase.CLOSED))
        await self._do(lambda at_us: records.set_phase(instrument, phase, at_us))
        await asyncio.sleep(random.random() * 0.1)
        if phase == Phase.AUCTION:
            await self._do(lambda at_us: records.uncross(instrument, at_us) * 2)
        await self._do(lambda at_us: records.set_phase(instrument, Phase.CONTINUOUS, at_us))

    async def _stop_somebody(self) -> None:
        who = self._random.randrange(1, len(self._members) + 1)
        await self._do(lambda at_us: records.kill(who, on=True, at_us=at_us))
        await asyncio.sleep(self._random.random() * 0.05)
        await self._do(lambda at_us: records.kill(who, on=False, at_us=at_us))

    async def _do(self, make: Callable[[int], bytes]) -> bytes:
        return await self._exchange.request(b"", lambda _who, at_us: make(at_us))
