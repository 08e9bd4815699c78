"""One encrypted seed, and a signer for every name."""

from __future__ import annotations

import json
import pickle
import stat
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from chain.keys import Keyring, KeyringExists, KeyringLocked
from chain.refusals import ContractRefusal, Refusal
from chain.units import UnitMalformed


def test_a_name_always_has_the_same_key_and_another_name_another(tmp_path: Path) -> None:
    created = Keyring.create(tmp_path / "keys.json", "open sesame")
    opened = Keyring.open(tmp_path / "keys.json", "open sesame")
    assert created.signer("firm:1").address == opened.signer("firm:1").address
    assert opened.signer("firm:1").address != opened.signer("firm:2").address
    assert opened.secret("token") == created.secret("token") != created.secret("gateway")


def test_the_file_is_its_owners_alone_and_holds_no_seed(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keyring = Keyring.create(path, "open sesame")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keyring._seed.hex() not in path.read_text(encoding="ascii")
    assert "..." in repr(keyring)


@given(st.text(max_size=50))
def test_a_signature_of_a_text_is_its_signers(text: str) -> None:
    signer = Keyring(bytes(range(32))).signer("person:1")
    assert (
        Account.recover_message(encode_defunct(text=text), signature=signer.sign_text(text)) == signer.address
    )


def test_a_wrong_passphrase_or_a_changed_file_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    Keyring.create(path, "open sesame")
    with pytest.raises(KeyringLocked):
        Keyring.open(path, "open barley")
    document = json.loads(path.read_text(encoding="ascii"))
    document["sealed"] = ("0" if document["sealed"][0] != "0" else "1") + document["sealed"][1:]
    path.write_text(json.dumps(document), encoding="ascii")
    with pytest.raises(KeyringLocked):
        Keyring.open(path, "open sesame")


def test_a_keyring_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    Keyring.create(path, "one")
    before = path.read_bytes()
    with pytest.raises(KeyringExists):
        Keyring.create(path, "two")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "refusal", [UnitMalformed(text="x"), ContractRefusal("RequestIdReused", {"requestId": "0x1"})]
)
def test_a_refusal_survives_the_way_between_processes(refusal: Refusal) -> None:
    copy = pickle.loads(pickle.dumps(refusal))  # noqa: S301  (our own bytes)
    assert (type(copy), copy.code, copy.facts, str(copy)) == (
        type(refusal), refusal.code, refusal.facts, str(refusal),
    )  # fmt: skip
