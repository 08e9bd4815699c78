"""Found: `carat chain deploy` made keys and waited two minutes for an address where no chain is, and a disk
that was full when it began left a journal that no later call could go on from."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.stack import outside
from api.stack.deploying import deploy_outside
from api.stack.outside import ChainsDiffer, OutsideChain
from chain.deploy_journal import DeployJournal
from chain.node import start_node
from chain.refusals import ChainUnreachable

PLAN = {"chain_id": 7, "admin": "0xA", "registrar": "0xB", "nonces": {}}


def test_an_address_where_no_chain_is_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "_GREETING_S", 0.1)
    with pytest.raises(ChainUnreachable):
        deploy_outside(tmp_path / "data", OutsideChain("http://127.0.0.1:1"), lambda _step: None)
    assert list(tmp_path.iterdir()) == []


def test_addresses_of_two_chains_are_refused(tmp_path: Path) -> None:
    with start_node(tmp_path / "a", chain_id=7) as one, start_node(tmp_path / "b", chain_id=8) as other:
        both = OutsideChain(f"{one.url},{other.url}")
        with pytest.raises(ChainsDiffer):
            deploy_outside(tmp_path / "data", both, lambda _step: None)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("left", ["", '{"chain_id": 7, "adm'])
def test_a_journal_whose_plan_was_torn_is_begun_again(tmp_path: Path, left: str) -> None:
    path = tmp_path / "journal"
    path.write_text(left, encoding="ascii")
    assert DeployJournal.open(path, PLAN).plan == PLAN
    assert DeployJournal.open(path, PLAN).everything() == []
