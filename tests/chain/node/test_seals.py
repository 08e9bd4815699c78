"""Sealed blocks: the authority signs every block's hash, and only the same authority goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest
from eth_account import Account
from eth_keys import KeyAPI

from chain.node import start_node
from chain.node.authority import (
    Authority,
    AuthorityChanged,
    AuthorityLocked,
    AuthorityMalformed,
    AuthorityMissing,
    sealer_of,
)
from chain.node.formats import checksum
from chain.node.store import FORMAT, StoreDamaged, StoreFormatUnknown
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import COUNTER

HASH = b"\x07" * 32


def test_every_block_is_sealed_by_the_authority(rpc: LocalRpc) -> None:
    rpc.deploy(COUNTER)
    for number in range(rpc.height + 1):
        sealed = rpc.call("carat_getSeal", hex(number))
        assert sealed["blockHash"] == rpc.call("eth_getBlockByNumber", hex(number))["hash"]
        signature = KeyAPI.Signature(bytes.fromhex(sealed["seal"][2:]))
        signer = signature.recover_public_key_from_msg_hash(bytes.fromhex(sealed["blockHash"][2:]))
        assert signer.to_checksum_address() == sealed["sealer"] == rpc.node.store.meta("authority")
    assert rpc.call("carat_getSeal", hex(rpc.height + 1)) is None


def test_a_seal_of_another_block_is_somebody_else_s() -> None:
    authority = Authority(b"\x01" * 32)
    seal = authority.seal(HASH)
    assert sealer_of(HASH, seal) == authority.address
    assert sealer_of(b"\x08" * 32, seal) != authority.address
    assert sealer_of(HASH, seal[:-1]) is None
    assert sealer_of(HASH, b"\xff" * 65) is None


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "chain" / "authority.json"
    first = LocalRpc(path.parent)
    address = first.node.authority.address
    first.close()
    assert path.stat().st_mode & 0o777 == 0o600
    second = LocalRpc(path.parent)
    assert second.node.authority.address == address
    second.close()


def test_a_passphrase_encrypts_the_key(tmp_path: Path) -> None:
    path = tmp_path / "authority.json"
    made = Authority.create(path, "correct horse")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "key" not in json.loads(path.read_text())
    assert Authority.open(path, "correct horse").address == made.address
    for passphrase in ("", "wrong"):
        with pytest.raises(AuthorityLocked):
            Authority.open(path, passphrase)


def test_a_keystore_of_another_tool_seals(tmp_path: Path) -> None:
    account = Account.create()
    path = tmp_path / "UTC--keystore"
    path.write_text(json.dumps(Account.encrypt(account.key, "correct horse", kdf="scrypt", iterations=1024)))
    rpc = LocalRpc(tmp_path / "chain", authority_key=path, passphrase="correct horse")
    assert rpc.call("carat_getSeal", "latest")["sealer"] == account.address
    rpc.close()
    assert not (tmp_path / "chain" / "authority.json").exists()


@pytest.mark.parametrize("content", ["", "[]", "3", '{"version": 1}', '{"version": 1, "key": "0x00"}', "{}"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "authority.json"
    path.write_text(content)
    with pytest.raises(AuthorityMalformed):
        Authority.open(path, "")


def test_a_chain_whose_key_is_gone_or_another_does_not_go_on(tmp_path: Path) -> None:
    LocalRpc(tmp_path).close()
    path = tmp_path / "authority.json"
    path.unlink()
    with pytest.raises(AuthorityMissing):
        LocalRpc(tmp_path)
    other = Authority.create(path, "")
    with pytest.raises(AuthorityChanged) as refusal:
        LocalRpc(tmp_path)
    assert refusal.value.facts["given"] == checksum(other.address)
    result = subprocess.run(
        [sys.executable, "-m", "chain.node", "--data", str(tmp_path)],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert result.returncode == 2
    assert "AuthorityChanged" in result.stderr


def test_the_command_takes_the_passphrase_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARAT_PASSPHRASE", "correct horse")
    with start_node(tmp_path):
        pass
    Authority.open(tmp_path / "authority.json", "correct horse")
    with pytest.raises(AuthorityLocked):
        Authority.open(tmp_path / "authority.json", "")


def write_meta(directory: Path, name: bytes, value: bytes | None) -> None:
    with lmdb.open(str(directory / "chain.lmdb"), max_dbs=16) as env:
        table = env.open_db(b"meta")
        with env.begin(write=True, db=table) as txn:
            if value is None:
                txn.delete(name)
            else:
                txn.put(name, value)


def test_a_directory_of_another_format_is_refused(tmp_path: Path) -> None:
    LocalRpc(tmp_path).close()
    write_meta(tmp_path, b"format", None)
    with pytest.raises(StoreFormatUnknown) as refusal:
        LocalRpc(tmp_path)
    assert (refusal.value.facts["found"], refusal.value.facts["wanted"]) == (1, FORMAT)


def test_a_damaged_small_record_is_refused(tmp_path: Path) -> None:
    LocalRpc(tmp_path).close()
    write_meta(tmp_path, b"chain_id", b"\x00\x00\x00\x007327")
    with pytest.raises(StoreDamaged, match="meta chain_id"):
        LocalRpc(tmp_path)
