"""Found: a forced exit with more cash than a record holds ended the exchange, at every start anew."""

from __future__ import annotations

from pathlib import Path

from exchange.core.codes import AMOUNT_MAX
from tests.exchange.conftest import Exchange
from tests.exchange.world import ANNA


async def test_it_is_an_alarm_and_the_exchange_goes_on(tmp_path: Path) -> None:
    exchange = Exchange(tmp_path / "journal")
    async with exchange.funded() as running:
        exchange.clearing.exit(ANNA, 2 * AMOUNT_MAX + 2)
        await running.desk.follow()
        assert running.desk.alarms["CashWithdrawn"].refusal.code == "ChainDisagrees"
        assert running.custody.chain_block == exchange.clearing.head()
