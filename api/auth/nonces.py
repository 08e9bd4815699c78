"""Sign-in nonces: each good once, for a few minutes.

A nonce carries its own expiry and a MAC, so that giving one out keeps nothing in memory and a flood of
requests cannot push out anybody's nonce. Only nonces that were used are remembered, until they expire.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from typing import Final

from chain.refusals import Refusal

_RANDOM_HEX: Final = 16
_EXPIRY_HEX: Final = 10
_MAC_HEX: Final = 32


class SignInRefused(Refusal):
    """This sign-in is not accepted; ask for a fresh nonce and sign again."""


class SignInBusy(Refusal):
    """Too many sign-ins at once; try again shortly."""


class Nonces:
    """Gives nonces out and takes each back once; safe to share between threads."""

    def __init__(self, secret: bytes, ttl_s: int, used_max: int) -> None:
        self._secret = secret
        self._ttl_s = ttl_s
        self._used_max = used_max
        self._used: dict[str, int] = {}  # nonce -> expiry
        self._lock = threading.Lock()

    def give(self, now_utc: int) -> tuple[str, int]:
        """Return a fresh nonce and the last second at which it is good."""
        expires_utc = now_utc + self._ttl_s
        body = secrets.token_hex(_RANDOM_HEX // 2) + format(expires_utc, f"0{_EXPIRY_HEX}x")
        return body + self._mac(body), expires_utc

    def take(self, nonce: str, now_utc: int) -> None:
        """Use a nonce up.

        Raises
        ------
        SignInRefused :
            Not given out by us, expired, or used before.
        SignInBusy :
            More nonces were used in their lifetime than are remembered.
        """
        body, mac = nonce[:-_MAC_HEX], nonce[-_MAC_HEX:]
        good = len(body) == _RANDOM_HEX + _EXPIRY_HEX and nonce.isascii()
        if not good or not hmac.compare_digest(mac, self._mac(body)):
            raise SignInRefused(reason="the nonce was not given out here")
        expires_utc = int(body[_RANDOM_HEX:], 16)
        if now_utc > expires_utc:
            raise SignInRefused(reason="the nonce has expired", expired_utc=expires_utc, now_utc=now_utc)
        with self._lock:
            if nonce in self._used:
                raise SignInRefused(reason="the nonce was used before")
            if len(self._used) >= self._used_max:
                self._used = {each: until for each, until in self._used.items() if until >= now_utc}
            if len(self._used) >= self._used_max:
                raise SignInBusy(nonces_max=self._used_max)
            self._used[nonce] = expires_utc

    def _mac(self, body: str) -> str:
        return hmac.new(self._secret, b"nonce:" + body.encode(), hashlib.sha256).hexdigest()[:_MAC_HEX]
