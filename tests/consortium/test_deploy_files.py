"""What deploy/consortium holds: the files of four authorities, consistent with each other and with CARAT."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from consortium_tools import besu_files, genesis
from consortium_tools.authorities import Consortium
from consortium_tools.errors import ConsortiumError
from consortium_tools.keys import AuthorityKey

from chain.abi import BUSINESS_CONTRACTS, abi_of
from chain.forks import Fork, bytecode
from chain.transactions import TRANSACTION_BYTES_MAX, gas_limit
from chain.transactor import BATCH

DEPLOY = Path(__file__).parents[2] / "deploy" / "consortium"
EXAMPLE = DEPLOY / "example"


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return Consortium.load(EXAMPLE / "consortium.json")


@pytest.fixture(scope="module")
def settings(consortium: Consortium) -> dict[str, dict[str, Any]]:
    return {each.name: tomllib.loads(text(f"{each.name}.toml")) for each in consortium.authorities}


def text(name: str) -> str:
    return (EXAMPLE / name).read_text(encoding="utf-8")


def test_the_files_are_those_that_the_script_writes(consortium: Consortium, tmp_path: Path) -> None:
    written = {path.name: path.read_text("utf-8") for path in besu_files.write(consortium, tmp_path / "here")}
    committed = {path.name: path.read_text("utf-8") for path in EXAMPLE.iterdir()}
    assert written == committed


def test_the_genesis_names_exactly_the_four_authorities(consortium: Consortium) -> None:
    extra_data = json.loads(text("genesis.json"))["extraData"]
    assert len(consortium.authorities) == 4
    assert set(genesis.qbft_validators(extra_data)) == {each.address for each in consortium.authorities}


def test_the_chain_runs_the_committed_contracts_and_charges_nothing(consortium: Consortium) -> None:
    document = json.loads(text("genesis.json"))
    config = document["config"]
    assert config["chainId"] == consortium.chain_id
    assert (config["shanghaiTime"], config["cancunTime"], config["zeroBaseFee"]) == (0, 0, True)
    assert document["mixHash"] == genesis.QBFT_DIGEST
    # A block takes a whole batch of acts, however little of it they use.
    assert int(document["gasLimit"], 16) >= BATCH * gas_limit(b"\0" * 1_000)
    # The size limit of EIP-170 is left as it is, and every contract keeps it.
    assert "contractSizeLimit" not in config
    assert all(len(bytecode(name, Fork.CANCUN)) <= 24_576 for name in BUSINESS_CONTRACTS)
    assert all(abi_of(name).bytecode == bytecode(name, Fork.CANCUN) for name in BUSINESS_CONTRACTS)


def test_peers_and_permitted_nodes_are_the_authorities(consortium: Consortium) -> None:
    enodes = [each.enode for each in consortium.authorities]
    permissions = tomllib.loads(text("permissions_config.toml"))
    assert json.loads(text("static-nodes.json")) == enodes
    assert permissions["nodes-allowlist"] == enodes
    assert permissions["accounts-allowlist"] == [each.lower() for each in consortium.senders]


def test_every_node_keeps_to_the_permissions_and_asks_for_no_fee(settings: dict[str, dict[str, Any]]) -> None:
    for name, values in settings.items():
        assert values["identity"] == name
        assert values["permissions-nodes-config-file-enabled"] is True
        assert values["permissions-accounts-config-file-enabled"] is True
        assert values["permissions-accounts-config-file"] == values["permissions-nodes-config-file"]
        assert values["discovery-enabled"] is False
        assert (values["min-gas-price"], values["min-priority-fee"]) == (0, 0)
        assert values["rpc-http-max-request-content-length"] >= 2 * BATCH * TRANSACTION_BYTES_MAX
        assert values["target-gas-limit"] == int(json.loads(text("genesis.json"))["gasLimit"], 16)


def test_who_administers_a_node_sits_at_it(settings: dict[str, dict[str, Any]]) -> None:
    for values in settings.values():
        assert {"QBFT", "PERM"} <= set(values["rpc-http-api"])
        assert values["rpc-http-host"] == "127.0.0.1"
        assert values["metrics-host"] == "127.0.0.1"
        assert "*" not in values["host-allowlist"]


def test_the_settings_of_two_authorities_differ_by_name_and_place_alone(
    settings: dict[str, dict[str, Any]],
) -> None:
    own = {"identity", "p2p-host", "p2p-port"}
    common = [{key: each[key] for key in each.keys() - own} for each in settings.values()]
    assert all(each == common[0] for each in common)


def test_no_private_key_is_among_the_files() -> None:
    for path in sorted(DEPLOY.rglob("*")):
        if path.is_file():
            assert path.name != "key"
            found = re.findall(
                r"(?<![0-9a-fA-F])(?:0x)?[0-9a-fA-F]{64}(?![0-9a-fA-F])", path.read_text("utf-8")
            )
            assert [each for each in found if each != genesis.QBFT_DIGEST] == []


def test_the_unit_and_the_container_start_a_node_on_these_files(settings: dict[str, dict[str, Any]]) -> None:
    values = settings["ministry"]
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(DEPLOY / "besu.service", encoding="utf-8")
    folder = str(Path(values["genesis-file"]).parent)
    assert f"--config-file={folder}/besu.toml" in unit["Service"]["ExecStart"]
    writable = unit["Service"]["ReadWritePaths"]
    assert values["data-path"].startswith(writable)
    assert values["permissions-accounts-config-file"].startswith(writable)
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]["besu"]
    assert service["command"] == [f"--config-file={folder}/besu.toml"]
    assert service["network_mode"] == "host"
    mounted = {volume.split(":")[1] for volume in service["volumes"]}
    assert {folder, writable} <= mounted


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    document = json.loads(text("consortium.json"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it["authorities"].pop(), "3 authorities"),
        (lambda it: it["authorities"][1].update(it["authorities"][0]), "name used twice"),
        (lambda it: it["authorities"][1].update(name="x", host="192.0.2.11"), "place used twice"),
        (lambda it: it["authorities"][0].update(public_key="00" * 64), "public_key is no key"),
        (lambda it: it["authorities"][0].update(public_key="zz"), "public_key is no key"),
        (lambda it: it["authorities"][0].update(host="besu.example"), "no IPv4 address"),
        (lambda it: it["authorities"][0].update(name="../x"), "small letters"),
        (lambda it: it["authorities"][0].update(p2p_port=0), "p2p_port 0"),
        (lambda it: it["authorities"][0].update(port=1), "port"),
        (lambda it: it.update(period_s=0), "period_s 0"),
        (lambda it: it.update(chain_id=0), "chain_id 0"),
        (lambda it: it.update(senders=["0x12"]), "no EIP-55 address"),
        (lambda it: it.pop("senders"), "senders"),
    ],
)
def test_a_consortium_that_cannot_run_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    path = changed(tmp_path / "consortium.json", change)
    with pytest.raises(ConsortiumError, match=said):
        Consortium.load(path)


def test_nothing_is_written_over(consortium: Consortium, tmp_path: Path) -> None:
    besu_files.write(consortium, tmp_path)
    with pytest.raises(FileExistsError, match=r"genesis\.json"):
        besu_files.write(consortium, tmp_path)
    AuthorityKey.create().save(tmp_path / "key")
    before = (tmp_path / "key").read_bytes()
    with pytest.raises(FileExistsError):
        AuthorityKey.create().save(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == before
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_saved_key_is_the_same_authority(tmp_path: Path) -> None:
    made = AuthorityKey.create()
    made.save(tmp_path / "key")
    assert AuthorityKey.load(tmp_path / "key").address == made.address
