"""Who runs a node of a consortium: the public half of it, which may be shown to anyone."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import coincurve
from eth_keys.datatypes import PublicKey
from eth_utils.address import is_checksum_address

from consortium_tools.errors import ConsortiumError

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_HOST: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")


@dataclass(frozen=True, slots=True)
class Authority:
    """One authority.

    Attributes
    ----------
    name :
        A short name for files and logs.
    host, p2p_port :
        Where its peers reach its node; Besu takes an IP address in enode addresses.
    public_key :
        128 hex digits; the key itself never leaves its machine.
    """

    name: str
    host: str
    p2p_port: int
    public_key: str

    @property
    def address(self) -> str:
        """The account that seals its blocks, EIP-55 text."""
        return str(PublicKey(bytes.fromhex(self.public_key)).to_checksum_address())

    @property
    def enode(self) -> str:
        """The node's name and place, for its peers."""
        return f"enode://{self.public_key}@{self.host}:{self.p2p_port}"


@dataclass(frozen=True, slots=True)
class Consortium:
    """What all members agree on before the first block.

    Attributes
    ----------
    period_s :
        Seconds from block to block.
    starts_utc :
        The time of the genesis block, unix seconds.
    senders :
        The accounts that may send transactions from the start: CARAT's own keys.
    """

    chain_id: int
    period_s: int
    starts_utc: int
    authorities: tuple[Authority, ...]
    senders: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> Consortium:
        """Read it from JSON.

        Raises
        ------
        ConsortiumError :
            With what is wrong in it.
        """
        try:
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            authorities = tuple(Authority(**each) for each in document.pop("authorities"))
            senders = tuple(document.pop("senders"))
            consortium = cls(authorities=authorities, senders=senders, **document)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConsortiumError(f"{path}: {type(error).__name__}: {error}") from None
        consortium.check()
        return consortium

    def text(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def check(self) -> None:
        """Make sure that a network can run on it; raises ConsortiumError."""
        if not 0 < self.chain_id < 2**53:
            raise ConsortiumError(f"chain_id {self.chain_id}: 1 to 2^53 - 1 is asked for")
        if not 1 <= self.period_s <= 60:
            raise ConsortiumError(f"period_s {self.period_s}: 1 to 60 is asked for")
        if len(self.authorities) < 4:
            raise ConsortiumError(f"{len(self.authorities)} authorities: QBFT bears one fault only from 4 on")
        for each in self.authorities:
            _check_authority(each)
        for what in ("name", "public_key", "enode"):
            _check_unique(what, [getattr(each, what) for each in self.authorities])
        places = [f"{each.host}:{each.p2p_port}" for each in self.authorities]
        _check_unique("place", places)
        for sender in self.senders:
            if not is_checksum_address(sender):
                raise ConsortiumError(f"sender {sender}: no EIP-55 address")


def _check_authority(authority: Authority) -> None:
    if not _NAME.fullmatch(authority.name):
        raise ConsortiumError(f"name {authority.name!r}: small letters, digits and hyphens are asked for")
    if not _HOST.fullmatch(authority.host):
        raise ConsortiumError(f"{authority.name}: host {authority.host!r} is no IPv4 address")
    if not 0 < authority.p2p_port < 65_536:
        raise ConsortiumError(f"{authority.name}: p2p_port {authority.p2p_port}")
    try:
        coincurve.PublicKey(b"\x04" + bytes.fromhex(authority.public_key))
    except ValueError as error:
        raise ConsortiumError(f"{authority.name}: public_key is no key: {error}") from None


def _check_unique(what: str, values: Sequence[str]) -> None:
    twice = {value for value in values if values.count(value) > 1}
    if twice:
        raise ConsortiumError(f"{what} used twice: {', '.join(sorted(twice))}")
