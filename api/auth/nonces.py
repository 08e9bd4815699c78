"""Sign-in nonces: each good once, for a few minutes.

A nonce carries its own expiry and a MAC, so that giving one out keeps nothing and a flood of requests cannot
push out anybody's nonce. Only nonces that were used are remembered, until they expire: in a database, for the
MAC's secret outlives a process, and its workers share it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from typing import Any, ClassVar, Final

from sqlalchemy import BigInteger, Engine, MetaData, String, delete, event, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, SQLModel, col

from chain.refusals import Refusal
from registry.projection.store import open_engine

_RANDOM_HEX: Final = 16
_EXPIRY_HEX: Final = 10
_MAC_HEX: Final = 32


class SignInRefused(Refusal):
    """This sign-in is not accepted; ask for a fresh nonce and sign again."""


class SignInBusy(Refusal):
    """Too many sign-ins at once; try again shortly."""


class Table(SQLModel):
    """The root of the sign-in's tables, with a catalogue of their own."""

    metadata: ClassVar[MetaData] = MetaData()


class UsedRow(Table, table=True):
    """A nonce that was used, until it expires."""

    __tablename__ = "used_nonces"

    nonce: str = Field(primary_key=True, sa_type=String(128))
    expires_utc: int = Field(sa_type=BigInteger, index=True)


class Nonces:
    """Gives nonces out and takes each back once, whichever worker is asked; safe to share between threads.

    Parameters
    ----------
    used_max :
        How many used nonces are remembered.
    engine :
        A database (`registry.projection.store.open_engine`) that the workers of one service share, and that
        outlives them; None for one in memory.
    """

    def __init__(self, secret: bytes, ttl_s: int, used_max: int, engine: Engine | None = None) -> None:
        self._secret = secret
        self._ttl_s = ttl_s
        self._used_max = used_max
        self._engine = engine or open_engine("sqlite://")
        self._lock = threading.Lock()
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _flush_every_commit)
        Table.metadata.create_all(self._engine)

    def close(self) -> None:
        """Let the database go."""
        self._engine.dispose()

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
        try:
            with self._lock, self._engine.begin() as connection:
                # A write comes first: from here on other workers wait.
                connection.execute(delete(UsedRow).where(col(UsedRow.expires_utc) < now_utc))
                connection.execute(insert(UsedRow), {"nonce": nonce, "expires_utc": expires_utc})
                used = connection.execute(select(func.count()).select_from(UsedRow)).scalar_one()
                if used > self._used_max:
                    raise SignInBusy(nonces_max=self._used_max)
        except IntegrityError:
            raise SignInRefused(reason="the nonce was used before") from None

    def _mac(self, body: str) -> str:
        return hmac.new(self._secret, b"nonce:" + body.encode(), hashlib.sha256).hexdigest()[:_MAC_HEX]


def _flush_every_commit(connection: Any, _record: Any) -> None:
    """Keep a used nonce used over a power cut."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()
