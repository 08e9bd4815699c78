"""The stream of blocks of transactions: a pure function of its seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from tests.chain.differential import shapes
from tests.chain.differential.assembly import Program, assemble, init_code
from tests.chain.differential.contracts import Market
from tests.chain.differential.programs import MAX_CODE_BYTES, random_program, small_init_code, small_runtime
from tests.chain.differential.sending import (
    ACCESS_LIST,
    ADDRESSES,
    DYNAMIC_FEE,
    LEGACY,
    SENDERS,
    AccessList,
    Sending,
    created_by,
)
from tests.chain.differential.words import NOBODY, PRECOMPILES, noise, precompile_input

GENESIS_UTC: Final = 1_800_000_000
BLOCK_GAS_LIMIT: Final = 500_000_000
MAX_BLOCK: Final = 110
_KEPT_CONTRACTS: Final = 300
_DEEP_GAS: Final = (200_000, 2_000_000, 2_000_000, 20_000_000)
_NEVER_OWNED: Final = 10**30


@dataclass(frozen=True, slots=True)
class BlockOfSendings:
    """One block: its time, what goes into it in this order, and what every node refuses before it."""

    time_utc: int
    sendings: tuple[Sending, ...]
    refused: tuple[Sending, ...]


class Stream:
    """Makes the blocks, one after the other; everything follows from `seed`.

    `programs` holds the pieces of the programs that were sent as init code, for making them smaller.
    """

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)
        self._nonces = [0] * SENDERS
        self._market = Market(self._rng, GENESIS_UTC)
        self._contracts: list[bytes] = []
        self.programs: dict[bytes, Program] = {}

    def blocks(self, transactions: int) -> Iterator[BlockOfSendings]:
        """Blocks of so many transactions in all, refused ones included."""
        rng, time_utc, left = self._rng, GENESIS_UTC, transactions
        beginning = [*self._market.deployments(), *self._market.beginnings()][::-1]
        while left > 0:
            time_utc += rng.choice((1, 1, 5, 30, 3_600, 24 * 3_600))
            wanted = min(left, rng.randrange(1, MAX_BLOCK))
            sendings: list[Sending] = []
            refused: list[Sending] = []
            gas, first = 0, tuple(self._nonces)
            while len(sendings) + len(refused) < wanted and gas < BLOCK_GAS_LIMIT // 2:
                if not beginning and any(first) and rng.randrange(50) == 0:
                    refused.append(self._refused(first))
                    continue
                sending = self._numbered(beginning.pop() if beginning else self._any())
                sendings.append(sending)
                gas += sending.gas
            left -= len(sendings) + len(refused)
            yield BlockOfSendings(time_utc, tuple(sendings), tuple(refused))

    def _numbered(self, sending: Sending) -> Sending:
        nonce = self._nonces[sending.sender]
        self._nonces[sending.sender] += 1
        if not sending.to:
            self._contracts.append(created_by(sending.from_address, nonce))
            del self._contracts[:-_KEPT_CONTRACTS]
        return replace(sending, nonce=nonce)

    def _any(self) -> Sending:
        return self._dressed(self._rng.choices(_MAKERS, _WEIGHTS)[0](self))

    def _dressed(self, sending: Sending) -> Sending:
        """With a type, a price, an access list, and seldom too little gas."""
        rng = self._rng
        type_id = rng.choice((LEGACY, ACCESS_LIST, DYNAMIC_FEE, DYNAMIC_FEE))
        price = rng.choice((0, 0, 0, 0, 1, 7))
        tip = rng.randrange(price + 1) if type_id == DYNAMIC_FEE else 0
        access_list = self._access_list(sending) if type_id != LEGACY and rng.randrange(4) == 0 else ()
        dressed = replace(sending, type_id=type_id, price=price, tip=tip, access_list=access_list)
        least = dressed.intrinsic_gas
        if not sending.needed and rng.randrange(14) == 0:
            return replace(
                dressed, gas=least + rng.choice((0, 1, rng.randrange(3_000), rng.randrange(120_000)))
            )
        return replace(dressed, gas=max(dressed.gas, least))

    def _access_list(self, sending: Sending) -> AccessList:
        rng = self._rng
        pool = (sending.to or bytes(20), sending.from_address, *NOBODY, *self._contracts[-20:])
        return tuple(
            (
                rng.choice(pool),
                tuple(rng.choice((0, 1, 2, 2, rng.getrandbits(256))) for _ in range(rng.randrange(4))),
            )
            for _ in range(rng.randrange(1, 5))
        )

    def _others(self) -> tuple[bytes, ...]:
        ours = self._rng.choice(tuple(self._market.addresses.values()))
        return (self._rng.choice(ADDRESSES), ours, *(self._contracts[-30:] or ADDRESSES))

    def _sending(self, label: str, to: bytes, data: bytes, gas: int | None = None) -> Sending:
        rng = self._rng
        value = rng.choice((0, 0, 0, 0, 1, rng.randrange(10_000)))
        gas = rng.choice((150_000, 600_000, 1_500_000)) if gas is None else gas
        return Sending(label, rng.randrange(1, SENDERS), to, data, value=value, gas=gas)

    # Kinds

    def _act(self) -> Sending:
        return self._market.act()

    def _run(self) -> Sending:
        """A creation whose init code is a random program."""
        program = random_program(self._rng, self._others(), self._rng.randrange(1, 26), creates=True)
        code = assemble(program)
        self.programs[code] = program
        return self._sending("program", b"", code, self._rng.choice((300_000, 700_000, 1_500_000)))

    def _deploy(self) -> Sending:
        """A contract whose code is a random program."""
        program = random_program(self._rng, self._others(), self._rng.randrange(1, 40), creates=False)
        return self._sending("deploy program", b"", init_code(assemble(program)[:MAX_CODE_BYTES]), 1_500_000)

    def _deploy_small(self) -> Sending:
        return self._sending("deploy small", b"", init_code(small_runtime(self._rng)))

    def _call(self) -> Sending:
        """A call of something created before; a few of them again and again, so that their code gets hot."""
        rng = self._rng
        known = self._contracts or [NOBODY[0]]
        place = min(int(rng.expovariate(0.05)), len(known) - 1)
        to = rng.choice(known[:12]) if rng.randrange(2) else known[-1 - place]
        words = [
            rng.choice((noise(rng, 40), bytes(31) + b"\x07", rng.randbytes(32)))
            for _ in range(rng.randrange(4))
        ]
        return self._sending("call", to, b"".join(words))

    def _transfer(self) -> Sending:
        rng = self._rng
        to = rng.choice(
            (rng.choice(ADDRESSES), rng.choice(ADDRESSES), rng.choice(self._others()), rng.randbytes(20))
        )
        data = noise(rng, 300) if rng.randrange(3) == 0 else b""
        value = rng.choice((0, 1, rng.randrange(10**15)))
        return replace(self._sending("transfer", to, data), value=value)

    def _precompile(self) -> Sending:
        number = self._rng.choices(PRECOMPILES, (3, 3, 3, 3, 3, 3, 3, 0.3, 3, 0.6))[0]
        data = precompile_input(self._rng, number)
        return self._sending("precompile", number.to_bytes(20, "big"), data)

    def _small_creation(self) -> Sending:
        return self._sending("creation", b"", small_init_code(self._rng))

    def _long_creation(self) -> Sending:
        return self._sending("longest init code", b"", bytes(shapes.LONGEST_INIT_BYTES), 300_000)

    def _dear_creation(self) -> Sending:
        return self._sending("code too dear", b"", *shapes.code_too_dear(self._rng))

    def _collision(self) -> Sending:
        return self._sending("collision", b"", shapes.collision(self._rng))

    def _destroyed(self) -> Sending:
        return self._sending("destroyed", b"", shapes.destroyed(self._rng))

    def _recursion(self) -> Sending:
        return self._sending("recursion", b"", shapes.recursion(self._rng), self._rng.choice(_DEEP_GAS))

    def _reentrance(self) -> Sending:
        return self._sending("reentrance", b"", shapes.reentrance(self._rng), self._rng.choice(_DEEP_GAS))

    def _refused(self, nonces: tuple[int, ...]) -> Sending:
        """A transaction that no node may take while these nonces are the next ones."""
        rng = self._rng
        sender = rng.choice([place for place in range(SENDERS) if nonces[place]])
        nonce = nonces[sender]
        plain = Sending("refused", sender, rng.choice(ADDRESSES), nonce=nonce)
        return rng.choice(
            (
                replace(plain, refused="gas below the intrinsic", gas=20_999),
                replace(plain, refused="gas above the block's", gas=BLOCK_GAS_LIMIT + 1),
                replace(plain, refused="another chain", chain_id=1),
                replace(plain, refused="more than the sender has", value=_NEVER_OWNED),
                replace(
                    plain, refused="init code too long", to=b"", data=bytes(shapes.LONGEST_INIT_BYTES + 1)
                ),
                replace(plain, refused="tip above the fee", price=1, tip=2),
                replace(plain, refused="nonce used", nonce=rng.randrange(nonce)),
            )
        )


_KINDS: Final[tuple[tuple[Callable[[Stream], Sending], float], ...]] = (
    (Stream._act, 44),
    (Stream._run, 16),
    (Stream._deploy, 4),
    (Stream._deploy_small, 2),
    (Stream._call, 17),
    (Stream._transfer, 8),
    (Stream._precompile, 3),
    (Stream._small_creation, 2),
    (Stream._long_creation, 0.1),
    (Stream._dear_creation, 0.5),
    (Stream._collision, 0.5),
    (Stream._destroyed, 0.6),
    (Stream._recursion, 0.3),
    (Stream._reentrance, 0.4),
)
_MAKERS: Final = tuple(maker for maker, _ in _KINDS)
_WEIGHTS: Final = tuple(weight for _, weight in _KINDS)
