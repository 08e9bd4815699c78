"""Tokens: a signed note that somebody signed in a few minutes ago.

A token names the account and nothing else; its role is read from the ledger's projection at each request,
so that an account that is opened or closed meanwhile is treated as what it is now.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

import jwt

from chain.refusals import Refusal

_ALGORITHM: Final = "HS256"
_ISSUER: Final = "carat"
_TOKEN_CHARS_MAX: Final = 2_000
_CLAIMS: Final = ["sub", "iss", "aud", "iat", "exp", "jti"]


class TokenMissing(Refusal):
    """Sign in first and send the token as `Authorization: Bearer ...`."""


class TokenMalformed(Refusal):
    """This is no token of this service."""


class TokenExpired(Refusal):
    """The token has expired; sign in again."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says. Times are unix seconds."""

    account: str
    issued_utc: int
    expires_utc: int


class Tokens:
    """Issues and reads tokens of one service (`audience`, its domain)."""

    def __init__(self, secret: bytes, audience: str, ttl_s: int) -> None:
        if len(secret) < 32:
            raise ValueError("a token secret has at least 32 bytes")
        self._secret = secret
        self._audience = audience
        self._ttl_s = ttl_s

    def issue(self, account: str, now_utc: int) -> tuple[str, Token]:
        """Return a fresh token for `account`, as text and as what it says."""
        token = Token(account, now_utc, now_utc + self._ttl_s)
        claims = {
            "sub": account,
            "iss": _ISSUER,
            "aud": self._audience,
            "iat": token.issued_utc,
            "exp": token.expires_utc,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM), token

    def read(self, text: str, now_utc: int) -> Token:
        """Return what a token says.

        Raises
        ------
        TokenMalformed :
            Not a token, not ours, or changed.
        TokenExpired :
            Ours, and past its time.
        """
        if len(text) > _TOKEN_CHARS_MAX:
            raise TokenMalformed(chars=len(text), chars_max=_TOKEN_CHARS_MAX)
        # The time is checked below against the clock that was given, not against PyJWT's own.
        options = {"require": _CLAIMS, "verify_exp": False, "verify_iat": False, "verify_nbf": False}
        try:
            claims = jwt.decode(
                text,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=self._audience,
                issuer=_ISSUER,
                options=options,  # type: ignore[arg-type]
            )
        except (jwt.PyJWTError, ValueError) as error:
            raise TokenMalformed(reason=type(error).__name__) from None
        token = Token(str(claims["sub"]), int(claims["iat"]), int(claims["exp"]))
        if now_utc >= token.expires_utc:
            raise TokenExpired(expired_utc=token.expires_utc, now_utc=now_utc)
        return token
