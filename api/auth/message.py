"""EIP-4361 messages: the text that a wallet shows and signs to sign in.

One strict reader and one writer of the same grammar: what is written here reads back equal, and a text that
differs in one character from the grammar is refused, not guessed at.

Source
------
EIP-4361, "Sign-In with Ethereum": message format in ABNF; RFC 3339 date-times; RFC 3986 URIs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from eth_utils.address import is_checksum_address

from chain.refusals import Refusal

MESSAGE_CHARS_MAX: Final = 2_000

_DATE_TIME: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_URI: Final = r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+"
_MESSAGE: Final = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<domain>[A-Za-z0-9.\-\[\]:]+)"
    r" wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9a-fA-F]{40})\n"
    r"\n"
    r"(?:(?P<statement>[ -~]+)\n)?"
    r"\n"
    rf"URI: (?P<uri>{_URI})\n"
    r"Version: 1\n"
    r"Chain ID: (?P<chain_id>[1-9][0-9]{0,18})\n"
    r"Nonce: (?P<nonce>[A-Za-z0-9]{8,128})\n"
    rf"Issued At: (?P<issued_at>{_DATE_TIME})"
    rf"(?:\nExpiration Time: (?P<expiration_time>{_DATE_TIME}))?"
    rf"(?:\nNot Before: (?P<not_before>{_DATE_TIME}))?"
    r"(?:\nRequest ID: (?P<request_id>[!-~]*))?"
    rf"(?P<resources>\nResources:(?:\n- {_URI})*)?",
    re.ASCII,
)


class MessageMalformed(Refusal):
    """This text is no EIP-4361 sign-in message."""


@dataclass(frozen=True, slots=True)
class SignInMessage:
    """What somebody signs to sign in. Times are unix seconds; a fraction of a second is dropped."""

    domain: str
    address: str
    uri: str
    chain_id: int
    nonce: str
    issued_utc: int
    expires_utc: int | None = None
    not_before_utc: int | None = None
    statement: str | None = None
    scheme: str | None = None

    def text(self) -> str:
        """Return the message as a wallet shows it."""
        scheme = f"{self.scheme}://" if self.scheme else ""
        statement = f"{self.statement}\n" if self.statement else ""
        lines = [
            f"{scheme}{self.domain} wants you to sign in with your Ethereum account:",
            self.address,
            "",
            f"{statement}",
            f"URI: {self.uri}",
            "Version: 1",
            f"Chain ID: {self.chain_id}",
            f"Nonce: {self.nonce}",
            f"Issued At: {_write_time(self.issued_utc)}",
        ]
        if self.expires_utc is not None:
            lines.append(f"Expiration Time: {_write_time(self.expires_utc)}")
        if self.not_before_utc is not None:
            lines.append(f"Not Before: {_write_time(self.not_before_utc)}")
        return "\n".join(lines)


def read_message(text: str) -> SignInMessage:
    """Read a sign-in message.

    Raises
    ------
    MessageMalformed :
        Not the grammar, an address that is not EIP-55, or a date that no calendar has.
    """
    if len(text) > MESSAGE_CHARS_MAX:
        raise MessageMalformed(chars=len(text), chars_max=MESSAGE_CHARS_MAX)
    match = _MESSAGE.fullmatch(text)
    if match is None:
        raise MessageMalformed(reason="not the grammar of EIP-4361, version 1")
    part = match.groupdict()
    if not is_checksum_address(part["address"]):
        raise MessageMalformed(address=part["address"], reason="the address is not EIP-55")
    return SignInMessage(
        domain=part["domain"],
        address=part["address"],
        uri=part["uri"],
        chain_id=int(part["chain_id"]),
        nonce=part["nonce"],
        issued_utc=_read_time(part["issued_at"]),
        expires_utc=_read_time(part["expiration_time"]) if part["expiration_time"] else None,
        not_before_utc=_read_time(part["not_before"]) if part["not_before"] else None,
        statement=part["statement"],
        scheme=part["scheme"],
    )


def _read_time(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError):
        raise MessageMalformed(time=text) from None


def _write_time(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
