"""The same 10,000 random transactions through this node and through anvil: nothing differs."""

from __future__ import annotations

import pytest

from tests.chain.clients.tools import tool
from tests.chain.differential.run import described, run

SEED = 20_261_122
TRANSACTIONS = 10_000


@pytest.mark.timeout(900)
def test_ten_thousand_random_transactions_do_the_same_here_and_on_anvil() -> None:
    """Status, gas used, logs, return data; every balance, nonce, code and slot of every account."""
    result = run(tool("anvil"), SEED, TRANSACTIONS, world_every=100)
    shown = "\n".join(str(difference) for difference in result.differences[:10])
    assert not result.differences, f"{shown}\n{described(result.block) if result.block else ''}"
    assert result.transactions == TRANSACTIONS
    assert result.ended["succeeded"] > 5_500
    assert result.ended["failed"] > 2_000
    assert result.ended["refused"] > 100
    assert result.logs > 5_000
