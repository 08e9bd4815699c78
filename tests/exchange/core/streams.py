"""Random command streams: a small world, so that orders meet, and every number that could go wrong."""

from __future__ import annotations

import random
from itertools import pairwise

from exchange.core import records
from exchange.core.codes import INT63_MAX, CommandKind, OrderType, Phase, SelfTrade, Side, TimeInForce
from exchange.core.records import COMMAND, COMMAND_BYTES

PARTICIPANTS = 5
INSTRUMENTS = 3
NASTY = (0, 1, 2, INT63_MAX - 1, INT63_MAX, INT63_MAX + 1, 2**64 - 1, 2**62, 10**18)


def order_id(number: int) -> bytes:
    """Return the id that stands for a number."""
    return number.to_bytes(16, "little")


def transfer_id(number: int) -> bytes:
    """Return the transfer id that stands for a number."""
    return number.to_bytes(32, "little")


def opening(rng: random.Random, *, wealth: int = 10**7) -> bytes:
    """Register, list and fund, with rules of many kinds."""
    run = [records.register(bytes([number]) * 20) for number in range(1, PARTICIPANTS + 1)]
    for number in range(1, INSTRUMENTS + 1):
        tick, lot = rng.choice(((1, 1), (1, 1), (5, 10), (2, 3)))
        run.append(records.list_instrument(1000 + number, tick, lot, rng.choice((10**6, INT63_MAX))))
        if rng.random() < 0.7:
            run.append(some_rules(rng, number))
        if rng.random() < 0.5:
            run.append(records.set_reference(number, rng.choice((100, 105, 10**9))))
        for who in range(1, PARTICIPANTS + 1):
            key = transfer_id(number * 100 + who)
            run.append(records.credit(who, number, rng.choice((500, wealth, 2**63)), key))
    run += [
        records.credit(who, 0, rng.choice((5_000, wealth * 100, 2**120)), transfer_id(who))
        for who in range(1, PARTICIPANTS + 1)
    ]
    return b"".join(run)


def some_rules(rng: random.Random, number: int) -> bytes:
    """Return rules for an instrument."""
    return records.set_rules(
        number,
        maker_ppm=rng.choice((0, 0, 100, 333_333, 1_000_000, 1_000_001)),
        taker_ppm=rng.choice((0, 0, 300, 7, 1_000_000)),
        fee_participant=rng.choice((0, 1, 5, 5, 5, 99)),
        band_ppm=rng.choice((0, 0, 100_000, 2_000_000)),
        position_limit=rng.choice((0, 0, 0, 2_000, 2**63)),
        no_same_day_resale=rng.random() < 0.2,
    )


class Stream:
    """Makes commands one after the other; remembers what time it is and which ids it used."""

    def __init__(self, rng: random.Random, *, wild: float = 0.03) -> None:
        self.rng, self.wild = rng, wild
        self.now_us, self.ids, self.epoch = 1, 0, 1
        self.sent: list[bytes] = []

    def number(self, usual: int, most: int = 10) -> int:
        """Return a usual number, seldom a nasty one."""
        if self.rng.random() < self.wild:
            return self.rng.choice(NASTY)
        return usual + self.rng.randrange(most)

    def some_id(self) -> bytes:
        """Return an id of an order, mostly a recent one."""
        back = int(self.rng.expovariate(0.15))
        return (
            order_id(max(1, self.ids - back)) if self.rng.random() < 0.98 else order_id(self.rng.randrange(3))
        )

    def participant(self) -> int:
        """Return a participant, seldom an unknown one."""
        return (
            self.rng.randint(1, PARTICIPANTS)
            if self.rng.random() > self.wild
            else self.rng.choice((0, 77, 2**32 - 1))
        )

    def instrument(self) -> int:
        """Return an instrument, mostly the first."""
        if self.rng.random() < self.wild:
            return self.rng.choice((0, 9, 65535))
        return self.rng.choice((1, 1, 1, *range(1, INSTRUMENTS + 1)))

    def price(self) -> int:
        """Return a price near 100."""
        if self.rng.random() < self.wild:
            return self.rng.choice((*NASTY, 10**6, 3 * 10**9, 50_000))
        return 100 + int(self.rng.gauss(0, 6)) * self.rng.choice((1, 1, 5))

    def quantity(self) -> int:
        """Return a quantity, mostly lots."""
        return self.number(self.rng.choice((1, 10, 30, 60, 600)), 1) * self.rng.choice((1, 1, 3))

    def new(self) -> bytes:
        """Return a new order, seldom an old one again."""
        rng = self.rng
        if rng.random() < 0.97:
            self.ids += 1
        type_ = rng.choice((*[OrderType.LIMIT] * 12, OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT))
        immediate = rng.random() < 0.2
        rests = rng.choice((TimeInForce.GTC,) * 6 + (TimeInForce.DAY, TimeInForce.GTD))
        tif = rng.choice((TimeInForce.IOC, TimeInForce.FOK)) if immediate else rests
        is_stop = type_ in (OrderType.STOP, OrderType.STOP_LIMIT)
        if type_ == OrderType.MARKET:
            tif = TimeInForce.IOC
        elif is_stop:
            tif = rests
        can_show = type_ in (OrderType.LIMIT, OrderType.STOP_LIMIT) and tif == rests
        quantity = self.quantity()
        free = type_ in (OrderType.MARKET, OrderType.STOP) and rng.random() < 0.6
        return records.new_order(
            self.some_id() if rng.random() < 0.03 else order_id(self.ids),
            self.participant(),
            self.instrument(),
            rng.choice((Side.BUY, Side.SELL)),
            quantity & (2**64 - 1),
            0 if free else self.price() & (2**64 - 1),
            type_=type_,
            tif=tif,
            stp=rng.choice(list(SelfTrade)),
            post_only=type_ == OrderType.LIMIT and tif == rests and rng.random() < 0.1,
            display=max(1, quantity // rng.choice((1, 3, 10))) & (2**64 - 1)
            if can_show and rng.random() < 0.25
            else 0,
            stop=self.price() & (2**64 - 1) if is_stop else 0,
            expiry_us=self.number(self.now_us, 40) if tif == TimeInForce.GTD else 0,
            at_us=self.time(),
        )

    def time(self) -> int:
        """Return the next command's time, now and then an earlier one."""
        self.now_us += self.rng.choice((0, 1, 1, 2, 5))
        return self.now_us if self.rng.random() < 0.95 else self.now_us // 2

    def next(self) -> bytes:
        """Return one or two commands."""
        rng = self.rng
        draw = rng.random()
        if draw < 0.03 and self.sent:
            return rng.choice(self.sent[-40:])  # a retry
        if draw < 0.62:
            self.sent.append(self.new())
            return self.sent[-1]
        if draw < 0.76:
            return records.cancel(self.some_id(), self.participant(), self.time())
        if draw < 0.88:
            price = rng.choice((0, self.price())) & (2**64 - 1)
            return records.amend(
                self.some_id(), self.participant(), self.quantity() & (2**64 - 1), price, self.time()
            )
        return self.rare()

    def rare(self) -> bytes:
        """Return a command of the seldom kinds."""
        rng = self.rng
        number, who, at_us = self.instrument(), self.participant(), self.time()
        key = transfer_id(rng.randrange(400))
        amount = rng.choice((1, 100, 10**5, 2**126, 0, 2**127, 2**128 - 1))
        if rng.random() < 0.3:
            self.epoch += 1
        return rng.choice(
            (
                lambda: records.mass_cancel(who, rng.choice((0, number)), at_us),
                lambda: records.kill(who, on=rng.random() < 0.4, at_us=at_us),
                lambda: records.kill(who, on=False, at_us=at_us),
                lambda: records.set_phase(number, rng.choice(list(Phase)), at_us),
                lambda: records.set_phase(number, Phase.CONTINUOUS, at_us),
                lambda: records.set_phase(number, Phase.CONTINUOUS, at_us),
                lambda: records.uncross(number, at_us) + records.set_phase(number, Phase.CONTINUOUS, at_us),
                lambda: records.uncross(number, at_us),
                lambda: records.set_reference(number, self.price() & (2**64 - 1), at_us),
                lambda: some_rules(rng, number),
                lambda: records.credit(who, rng.choice((0, number)), amount, key),
                lambda: records.debit(who, rng.choice((0, number)), amount, key, up_to=rng.random() < 0.2),
                lambda: records.advance(at_us + rng.choice((0, 30))),
                lambda: records.day_end(at_us) if rng.random() < 0.4 else records.advance(at_us),
                lambda: records.close_epoch(rng.choice((self.epoch, 1, 0, 99)), at_us),
                lambda: records.register(bytes([rng.randrange(8)]) * 20, at_us),
                lambda: records.list_instrument(1000 + rng.randrange(6), 1, rng.choice((1, 0)), 10**6, at_us),
                lambda: records.terms(self.some_id(), 1, 0, 0, at_us),
                lambda: bytes([rng.randrange(128, 256)]) + rng.randbytes(63),
            )
        )()

    def run(self, commands: int) -> bytes:
        """Return a run of about so many commands."""
        return b"".join(self.next() for _ in range(commands))


def mutated(rng: random.Random, run: bytes, rate: float) -> bytes:
    """Return a run with some of its bytes changed, now and then a whole record of nonsense."""
    out = bytearray(run)
    for offset in range(0, len(out), COMMAND_BYTES):
        draw = rng.random()
        if draw < rate:
            for _ in range(rng.choice((1, 1, 2, 5))):
                out[offset + rng.randrange(COMMAND_BYTES)] = rng.choice(
                    (0, 1, 127, 128, 255, rng.randrange(256))
                )
        elif draw < rate * 1.1:
            out[offset : offset + COMMAND_BYTES] = rng.randbytes(COMMAND_BYTES)
        elif draw < rate * 1.2:
            out[offset] = rng.choice(list(CommandKind))
    return bytes(out)


def batches(rng: random.Random, run: bytes, most: int = 40) -> list[bytes]:
    """Cut a run into batches."""
    cuts = [0]
    while cuts[-1] < len(run):
        cuts.append(min(len(run), cuts[-1] + rng.randint(1, most) * COMMAND_BYTES))
    return [run[start:end] for start, end in pairwise(cuts)]


def command_kinds(run: bytes) -> list[int]:
    """Return the kinds in a run."""
    return [COMMAND.unpack_from(run, offset)[0] for offset in range(0, len(run), COMMAND_BYTES)]
