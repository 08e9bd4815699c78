"""Found: an audit read the journal between what the chain had said and up to where it had been read.

It then held a withdrawal as paid out against the chain as it was before, and cried tampering.
"""

from __future__ import annotations

from pathlib import Path

from exchange.carried import CarriedKind
from exchange.core.codes import CASH, CommandKind
from exchange.core.records import COMMAND_BYTES
from exchange.journal import frames, read_head, reading
from tests.exchange.conftest import Exchange
from tests.exchange.world import ANNA, BERT

FROM_THE_CHAIN = {CarriedKind.SETTLED, CarriedKind.RELEASED, CommandKind.CREDIT}


async def test_what_the_chain_says_and_how_far_it_was_read_are_in_one_frame(tmp_path: Path) -> None:
    exchange = Exchange(tmp_path)
    async with exchange.funded() as running:
        await running.trade(10, ANNA, BERT)
        await running.close()
        await running.withdraw(ANNA, CASH, 1_000)
        await running.desk.round()
    told = []
    with reading(exchange.journal) as view:
        for frame in frames(view, read_head(view)[1]):
            kinds = set(bytes(frame.payload[::COMMAND_BYTES]))
            frame.payload.release()
            if kinds & FROM_THE_CHAIN:
                told.append(kinds)
    assert {CarriedKind.SETTLED, CarriedKind.RELEASED, CommandKind.CREDIT} <= set.union(*told)
    assert all(CarriedKind.CURSOR in kinds for kinds in told)
