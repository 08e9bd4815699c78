"""The services of one API process, wired once at its start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlmodel import Session

from api.auth.nonces import Nonces
from api.auth.roles import Role
from api.auth.sign_in import SignIn
from api.auth.tokens import Tokens
from api.indexer import Indexer
from api.relay import Relay
from api.settings import Settings
from chain.keys import Keyring
from chain.transactor import Transactor


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that routes use."""

    settings: Settings
    engine: Engine
    transactor: Transactor
    indexer: Indexer
    relay: Relay
    sign_in: SignIn
