"""The product on a chain that others run: named by its address alone, with blocks in their own time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.stack.attach import attached
from api.stack.outside import OutsideChain, TipMalformed
from api.stack.paths import DataDirectory, read_json
from api.stack.stack import Stack
from chain.abi import Call
from chain.delivery import Manner
from chain.deployment import Deployment
from chain.events import EventReader
from chain.finality import Finality
from chain.ids import request_id
from chain.keys import Keyring
from chain.refusals import ChainMismatch, FinalityUnknown
from chain.rpc import ChainRpc
from chain.transactor import Transactor
from tests.support.actors import Actor
from tests.support.carat import carat
from tests.support.faulty_proxy import faulty_proxy
from tests.support.processes import running, running_node

PASSPHRASE = {"CARAT_PASSPHRASE": "only for tests"}
DEPTH = 2
SCENARIO = """
name: one year
years: [2026]
price_fen_per_t: 8000
penalty_multiple: 5
offset_cap_ppm: 50000
firms:
  - {name: A, baseline_t: 100000, required_cut_t: 3000, own_cut_t: 8000, trades: true}
  - {name: B, baseline_t: 100000, required_cut_t: 3000, own_cut_t: 1000, trades: true}
  - {name: C, baseline_t: 100000, required_cut_t: 3000, own_cut_t: 1000, trades: false}
others: {name: M, buys_and_sells: true}
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A chain that makes a block every so often, asked or not, and whose clock nobody moves."""
    data = tmp_path_factory.mktemp("outside")
    arguments = ["chain.node", "--data", str(data), "--port", "0", "--mine", "interval:0.2", "--quota", "off"]
    with running(arguments) as node:
        yield node.url


@pytest.fixture(scope="module")
def deployed(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a deployment made by the command."""
    data = tmp_path_factory.mktemp("data") / "market"
    answer = carat(
        "chain", "deploy", "--data-dir", data, "--chain-url", url, "--confirmations", str(DEPTH), "--json",
        environment=PASSPHRASE,
    )  # fmt: skip
    assert answer.code == 0, answer.stderr
    assert answer.json["addresses"] == Deployment.load(data / "deployment.json").addresses
    return data


def test_a_scenario_ends_there_as_on_a_chain_of_our_own(url: str, tmp_path: Path) -> None:
    page = tmp_path / "year.yaml"
    page.write_text(SCENARIO, encoding="utf-8")
    ours = carat("scenario", "run", page, "--json")
    theirs = carat(
        "scenario", "run", page, "--json", "--data-dir", tmp_path / "run", "--chain-url", url,
        "--confirmations", str(DEPTH), "--cycle-seconds", "45",
    )  # fmt: skip
    assert (ours.code, theirs.code) == (0, 0), theirs.stderr
    for told in ("firms", "others", "epochs_settled", "transactions"):
        assert theirs.json[told] == ours.json[told]
    assert not (tmp_path / "run" / "chain").exists(), "no node of our own was started"
    again = carat("audit", "--data-dir", tmp_path / "run", "--json")
    assert (again.code, again.json["ok"]) == (0, True), "the directory knows its chain"
    rebuilt = carat("projection", "rebuild", "--data-dir", tmp_path / "run", "--chain-url", url, "--json")
    assert rebuilt.json["equal"] is True


def test_a_second_deployment_in_one_directory_is_refused(deployed: Path, url: str) -> None:
    answer = carat("chain", "deploy", "--data-dir", deployed, "--chain-url", url, environment=PASSPHRASE)
    assert answer.code == 2
    assert "DeploymentExists" in answer.stderr


def test_deploying_needs_to_know_where(tmp_path: Path) -> None:
    for url, refusal in (("", "ChainUrlMissing"), ("ftp://x", "ChainUrlMalformed")):
        named = ["--chain-url", url] if url else []
        answer = carat("chain", "deploy", "--data-dir", tmp_path / "x", *named, environment=PASSPHRASE)
        assert answer.code == 2
        assert refusal in answer.stderr
        assert not (tmp_path / "x" / "keys.json").exists(), "nothing was made"


def test_the_address_may_come_from_the_environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARAT_CHAIN_URL", f"{url}, {url}/")
    assert OutsideChain.of() == OutsideChain(f"{url},{url}", "12", 0)
    monkeypatch.setenv("CARAT_CHAIN_CONFIRMATIONS", "finalized")
    monkeypatch.setenv("CARAT_CHAIN_TIP_WEI", "7")
    assert OutsideChain.of() == OutsideChain(f"{url},{url}", "finalized", 7)
    assert OutsideChain.of("http://other:1", "3") == OutsideChain("http://other:1", "3", 7)
    monkeypatch.setenv("CARAT_CHAIN_TIP_WEI", "much")
    with pytest.raises(TipMalformed):
        OutsideChain.of()
    monkeypatch.delenv("CARAT_CHAIN_TIP_WEI")
    monkeypatch.setenv("CARAT_CHAIN_CONFIRMATIONS", "soon")
    with pytest.raises(FinalityUnknown):
        OutsideChain.of()


def test_another_chain_than_the_deployed_one_is_refused(
    deployed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARAT_PASSPHRASE", PASSPHRASE["CARAT_PASSPHRASE"])
    with running_node(tmp_path / "other") as other, pytest.raises(ChainMismatch):
        Stack.start(deployed, with_api=False, outside=OutsideChain(other.url, "0"))
    assert OutsideChain.kept(DataDirectory(deployed)) is not None


def test_the_whole_stack_runs_there_and_acts_by_the_api_wait_until_they_are_final(
    deployed: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARAT_PASSPHRASE", PASSPHRASE["CARAT_PASSPHRASE"])
    with (
        faulty_proxy(url) as second,
        Stack.start(deployed, outside=OutsideChain(f"{url},{second.url}", str(DEPTH))) as stack,
    ):
        assert stack.pid_of("node") is None
        keyring: Keyring = stack.keyring
        transactor = stack.transactor()
        mint = Call("SettlementCash", "mint", ([(keyring.signer("firm:x").address, 5)], request_id("one")))
        receipt = transactor.send(keyring.signer("bank"), mint)
        assert int(transactor.rpc.call("eth_blockNumber"), 16) >= receipt.block + DEPTH
        with attached(deployed) as other:
            assert other.node_url == stack.node_url
            assert other.transactor().read(Call("SettlementCash", "totalSupply")) == 5
        with httpx.Client(base_url=stack.api_url, timeout=60, trust_env=False) as http:
            registrar = Actor(http, keyring.signer("registrar"))
            firm = keyring.signer("firm:there").address
            before = int(transactor.rpc.call("eth_blockNumber"), 16)
            opened = registrar.done(f"/accounts/{firm}", {"kind": "firm", "name": "There"})
            assert opened["account"] == firm
            assert int(transactor.rpc.call("eth_blockNumber"), 16) >= before + 1 + DEPTH
        told = read_json(deployed / "stack.json")
        assert told["urls"]["node"] == f"{url},{second.url}"
    kept = OutsideChain.kept(DataDirectory(deployed))
    assert kept is not None
    assert kept.confirmations == str(DEPTH)


def test_a_relayed_act_waits_for_its_confirmations(deployed: Path, url: str) -> None:
    rpc = ChainRpc(url)
    deployment = Deployment.load(deployed / "deployment.json")
    keyring = Keyring.open(deployed / "keys.json", PASSPHRASE["CARAT_PASSPHRASE"])
    transactor = Transactor(rpc, deployment, manner=Manner(Finality(DEPTH), patience_s=60))
    bank = keyring.signer("bank")
    mint = Call("SettlementCash", "mint", ([(keyring.signer("firm:y").address, 7)], request_id("two")))
    raw = bank.sign_transaction(transactor.prepare(bank.address, mint))
    receipt = transactor.relay(raw)
    assert int(rpc.call("eth_blockNumber"), 16) >= receipt.block + DEPTH
    assert transactor.relay(raw) == receipt
    events = [
        event for event in EventReader(rpc, deployment).read(receipt.block) if event.name == "CashMinted"
    ]
    assert [event.args["amountFen"] for event in events] == [7]
