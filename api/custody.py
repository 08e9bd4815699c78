"""Custody: who stored which evidence, and so who may have it handed out.

The evidence store knows contents by their hashes, and hashes stand on chain for all to see and to repeat. So
a hash opens nothing here: an account has what it has stored itself, with the content in hand. The same
content stored by two accounts is in the custody of both, and neither learns of the other.

The records lie in the evidence directory, `custody.sqlite`: content is durable first, then who stored it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from sqlalchemy import MetaData, String, event
from sqlalchemy.dialects.sqlite import insert
from sqlmodel import Field, Session, SQLModel, col, select

from chain.refusals import Refusal
from registry.documents import bytes32, sha256
from registry.evidence import EvidenceStore
from registry.manifest import Bundle, EvidenceFile, Manifest
from registry.projection.store import open_engine
from registry.refusals import EvidenceMissing

_ROWS_AT_ONCE: Final = 1_000


class EvidenceMismatch(Refusal):
    """The report, its manifest and the uploaded files do not belong together."""


class Table(SQLModel):
    """The root of the custody's tables, with a catalogue of their own."""

    metadata: ClassVar[MetaData] = MetaData()


class StoredRow(Table, table=True):
    """An account has stored what lies in the evidence store under this name."""

    __tablename__ = "stored"

    name: str = Field(primary_key=True, sa_type=String(80))
    account: str = Field(primary_key=True, sa_type=String(42))


class Custody:
    """The evidence of each account.

    Parameters
    ----------
    evidence :
        Where the contents are.
    directory :
        The evidence directory, where the records go.
    """

    def __init__(self, evidence: EvidenceStore, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._evidence = evidence
        self._engine = open_engine(f"sqlite:///{directory / 'custody.sqlite'}")
        event.listen(self._engine, "connect", _flush_every_commit)
        Table.metadata.create_all(self._engine)

    def close(self) -> None:
        """Let the database go."""
        self._engine.dispose()

    # --- storing ---

    def put(self, account: str, content: bytes) -> bool:
        """Store a file for an account; False if it had stored it before. Raises like `EvidenceStore.put`."""
        had = self.has_file(account, sha256(content))
        self.put_many([(account, content)])
        return not had

    def put_many(self, contents: Sequence[tuple[str, bytes]]) -> list[bytes]:
        """Store files, each for its account, and return their hashes, in order."""
        digests = self._evidence.put_many([content for _, content in contents])
        self._record((account, _file(digest)) for (account, _), digest in zip(contents, digests, strict=True))
        return digests

    def put_bundles(self, bundles: Sequence[tuple[str, Bundle]]) -> list[Manifest]:
        """Store bundles, each for its account, with all their files."""
        manifests = self._evidence.put_bundles([bundle for _, bundle in bundles])
        self._record(
            (account, name)
            for (account, _), manifest in zip(bundles, manifests, strict=True)
            for name in _names(manifest)
        )
        return manifests

    def put_manifest(self, account: str, manifest: Manifest) -> None:
        """Store the manifest of files that the account has stored before.

        Raises
        ------
        EvidenceMissing :
            The account has not stored a file of the manifest, whoever else has.
        EvidenceMismatch :
            A file has another size than the manifest says.
        """
        files = tuple(
            EvidenceFile(entry.name, entry.media_type, self.file(account, entry.sha256))
            for entry in manifest.entries
        )
        if Manifest.of(files, manifest.salt).root != manifest.root:
            raise EvidenceMismatch(field="size", manifest="0x" + manifest.root.hex())
        self.put_bundles([(account, Bundle(files, manifest.salt))])

    # --- handing out ---

    def file(self, account: str, digest: bytes | str) -> bytes:
        """Return a file that the account has stored; raises EvidenceMissing, EvidenceAltered."""
        self._require(account, _file(digest))
        return self._evidence.get(digest)

    def manifest(self, account: str, evidence_root: bytes | str) -> Manifest:
        """Return a manifest that the account has stored; raises EvidenceMissing, EvidenceAltered."""
        self._require(account, _manifest(evidence_root))
        return self._evidence.manifest(evidence_root)

    def has_file(self, account: str, digest: bytes | str) -> bool:
        """Say whether the account has stored this file."""
        return self._has(account, _file(digest))

    def has_manifest(self, account: str, evidence_root: bytes | str) -> bool:
        """Say whether the account has stored this bundle."""
        return self._has(account, _manifest(evidence_root))

    def keepers(self, evidence_root: bytes | str) -> list[str]:
        """Return who has stored this bundle, in order of account."""
        query = select(StoredRow.account).where(col(StoredRow.name) == _manifest(evidence_root))
        with Session(self._engine) as session:
            return list(session.exec(query.order_by(col(StoredRow.account))))

    def _has(self, account: str, name: str) -> bool:
        with Session(self._engine) as session:
            return session.get(StoredRow, (name, account)) is not None

    def _require(self, account: str, name: str) -> None:
        if not self._has(account, name):
            raise EvidenceMissing(file=name)

    def _record(self, kept: Iterable[tuple[str, str]]) -> None:
        rows = [{"account": account, "name": name} for account, name in sorted(set(kept))]
        store = insert(StoredRow).on_conflict_do_nothing()
        with self._engine.begin() as connection:
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                connection.execute(store, rows[start : start + _ROWS_AT_ONCE])


def _file(digest: bytes | str) -> str:
    return bytes32(digest).hex()


def _manifest(evidence_root: bytes | str) -> str:
    return f"{bytes32(evidence_root).hex()}.manifest"


def _names(manifest: Manifest) -> list[str]:
    return [_manifest(manifest.root), *(_file(entry.sha256) for entry in manifest.entries)]


def _flush_every_commit(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()
