"""What an operator may set, from the environment (`CARAT_...`); docs/guide/settings.md explains each."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

_MIB: Final = 1024 * 1024


class Settings(BaseSettings):
    """One stack's settings. Units end the names; a value out of its bounds stops the start."""

    model_config = SettingsConfigDict(env_prefix="CARAT_", extra="forbid", frozen=True)

    data_dir: Path = Path(".state")
    passphrase: SecretStr = SecretStr("")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    public_url: str = Field(default="http://127.0.0.1:8000", pattern=r"^https?://[^/\s]+$")
    chain_url: str = Field(default="http://127.0.0.1:8545", pattern=r"^https?://\S+$")
    chain_confirmations: str = Field(default="0", pattern=r"^(\d{1,4}|safe|finalized)$")
    chain_reorg_blocks: int = Field(default=256, ge=1, le=10_000)
    chain_tip_wei: int = Field(default=0, ge=0, le=10**18)
    exchange_url: str = Field(default="http://127.0.0.1:8700", pattern=r"^https?://\S+$")
    database_url: str = ""
    token_ttl_s: int = Field(default=900, ge=10, le=86_400)
    nonce_ttl_s: int = Field(default=300, ge=10, le=3_600)
    nonces_max: int = Field(default=100_000, ge=1, le=10_000_000)
    request_bytes_max: int = Field(default=4 * _MIB, ge=1_024, le=64 * _MIB)
    chain_patience_s: float = Field(default=15.0, gt=0, le=600)
    exchange_timeout_s: float = Field(default=10.0, gt=0, le=600)
    indexer_interval_s: float = Field(default=0.25, gt=0, le=60)
    retry_after_s: int = Field(default=5, ge=1, le=3_600)
    streams_max: int = Field(default=500, ge=1, le=100_000)
    streams_per_client_max: int = Field(default=20, ge=1, le=100_000)
    cors_origins: tuple[str, ...] = ()

    @property
    def domain(self) -> str:
        """The host (and port) that a sign-in message must name."""
        return urlsplit(self.public_url).netloc

    @property
    def projection_url(self) -> str:
        """The SQL database of the projection: the one named, or a file in the data directory."""
        return self.database_url or f"sqlite:///{self.data_dir / 'projection.sqlite'}"

    @property
    def pending_path(self) -> Path:
        """What members signed, was relayed, and is not final yet."""
        return self.data_dir / "relayed.sqlite"

    @property
    def points_url(self) -> str:
        """The SQL database of green acts: they are on no chain, so it is kept apart from the projection."""
        return f"sqlite:///{self.data_dir / 'points.sqlite'}"

    @property
    def sign_in_url(self) -> str:
        """The SQL database of used sign-in nonces, which all workers share."""
        return f"sqlite:///{self.data_dir / 'sign-in.sqlite'}"

    @property
    def keyring_path(self) -> Path:
        """The encrypted seed of this stack's own keys."""
        return self.data_dir / "keys.json"

    @property
    def deployment_path(self) -> Path:
        """Where the contracts are."""
        return self.data_dir / "deployment.json"

    @property
    def binary_note_path(self) -> Path:
        """Where the exchange says where its binary gateway listens."""
        return self.data_dir / "exchange" / "binary.json"

    @property
    def evidence_dir(self) -> Path:
        """The content-addressed files behind reports and statements."""
        return self.data_dir / "evidence"
