"""Sign-in: a signed message against a token.

The message must be for this service, this chain and now, and its signature must be of the account that it
names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.exceptions import BadSignature, ValidationError

from api.auth.message import SignInMessage, read_message
from api.auth.nonces import Nonces, SignInRefused
from api.auth.tokens import Token, Tokens

# A wallet's clock may be ahead of ours by this much.
_CLOCK_SKEW_S: Final = 60
_SIGNATURE_BYTES: Final = 65
_STATEMENT: Final = "Sign in to CARAT."


@dataclass(frozen=True, slots=True)
class SignIn:
    """The service's sign-in desk. `now_utc` is given by who calls."""

    domain: str
    uri: str
    chain_id: int
    nonces: Nonces
    tokens: Tokens

    def propose(self, address: str, now_utc: int) -> SignInMessage:
        """Return a fresh message for `address` to sign."""
        nonce, expires_utc = self.nonces.give(now_utc)
        return SignInMessage(
            domain=self.domain,
            address=address,
            uri=self.uri,
            chain_id=self.chain_id,
            nonce=nonce,
            issued_utc=now_utc,
            expires_utc=expires_utc,
            statement=_STATEMENT,
        )

    def accept(self, text: str, signature: bytes, now_utc: int) -> tuple[str, Token]:
        """Return a token for who signed `text`.

        Raises
        ------
        MessageMalformed :
            The text is no sign-in message.
        SignInRefused :
            It is for another service, chain or time, its nonce is not good, or its signature is not the
            account's.
        """
        message = read_message(text)
        self._check(message, now_utc)
        recovered = _signer_of(text, signature)
        if recovered != message.address:
            raise SignInRefused(reason="signed by another key", address=message.address, recovered=recovered)
        self.nonces.take(message.nonce, now_utc)  # last: a wrong signature must not use a nonce up
        return self.tokens.issue(message.address, now_utc)

    def _check(self, message: SignInMessage, now_utc: int) -> None:
        if message.domain != self.domain:
            raise SignInRefused(reason="for another domain", domain=message.domain, expected=self.domain)
        if message.scheme is not None and not self.uri.startswith(f"{message.scheme}://"):
            raise SignInRefused(reason="for another scheme", scheme=message.scheme)
        if message.uri != self.uri:
            raise SignInRefused(reason="for another URI", uri=message.uri, expected=self.uri)
        if message.chain_id != self.chain_id:
            raise SignInRefused(reason="for another chain", chain_id=message.chain_id, expected=self.chain_id)
        if message.issued_utc > now_utc + _CLOCK_SKEW_S:
            raise SignInRefused(reason="issued in the future", issued_utc=message.issued_utc, now_utc=now_utc)
        if message.expires_utc is not None and message.expires_utc < now_utc:
            raise SignInRefused(reason="expired", expired_utc=message.expires_utc, now_utc=now_utc)
        if message.not_before_utc is not None and message.not_before_utc > now_utc + _CLOCK_SKEW_S:
            raise SignInRefused(reason="not yet", not_before_utc=message.not_before_utc, now_utc=now_utc)


def _signer_of(text: str, signature: bytes) -> str:
    if len(signature) != _SIGNATURE_BYTES:
        raise SignInRefused(reason="no such signature")
    try:
        return str(Account.recover_message(encode_defunct(text=text), signature=signature))
    except (BadSignature, ValidationError, ValueError, TypeError):
        raise SignInRefused(reason="no such signature") from None
