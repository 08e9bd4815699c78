"""Manifests: what one hash on chain says of a bundle of evidence files.

Files that belong together are a bundle. Its manifest names each with media type, hash and size; its *evidence
root* is the one hash that goes on chain. Raw evidence never does (SOURCES 20, 25). Pure.

Evidence root
    The Merkle root (`registry.merkle`) over one leaf a file, in order of name:
    leaf      HMAC-SHA256(file salt, canonical JSON of the manifest entry)
    file salt HMAC-SHA256(bundle salt, name)
    The salt is in the manifest, not on chain: who guesses a report's content cannot confirm the guess, and
    one file can be shown with its salt and proof while the others stay closed.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from registry import merkle
from registry.documents import Json, bytes32, canonical, parse, sha256
from registry.refusals import DocumentMalformed, EvidenceMissing, EvidenceRefused

FILE_MAX_BYTES: Final = 32 * 1024 * 1024
BUNDLE_MAX_FILES: Final = 1_000
BUNDLE_MAX_BYTES: Final = 256 * 1024 * 1024
NAME_MAX_CHARS: Final = 120

_MEDIA_TYPE = re.compile(r"[a-z]{1,30}/[a-z0-9][a-z0-9.+-]{0,80}", re.ASCII)


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file as a firm hands it in."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """What a manifest says of one file; `sha256` is 64 hex digits, `size` bytes."""

    name: str
    media_type: str
    sha256: str
    size: int

    def document(self) -> dict[str, Json]:
        """Return the entry as JSON."""
        return {"name": self.name, "media_type": self.media_type, "sha256": self.sha256, "size": self.size}


@dataclass(frozen=True, slots=True)
class FileProof:
    """That one file belongs to a bundle, without the other files."""

    entry: ManifestEntry
    file_salt: bytes
    proof: merkle.MerkleProof

    def holds(self, evidence_root: bytes) -> bool:
        """Say whether the file belongs to the bundle of this root."""
        return merkle.verify(evidence_root, _leaf(self.file_salt, self.entry), self.proof)


@dataclass(frozen=True)
class Manifest:
    """The list of a bundle's files, in order of name, and the salt of its commitments.

    Raises
    ------
    EvidenceRefused :
        No file, too many, two of one name, or a name, type or size that is not taken.
    """

    entries: tuple[ManifestEntry, ...]
    salt: bytes

    def __post_init__(self) -> None:
        names = [entry.name for entry in self.entries]
        if not 0 < len(names) <= BUNDLE_MAX_FILES:
            raise EvidenceRefused(reason="number of files", files=len(names), files_max=BUNDLE_MAX_FILES)
        if names != sorted(set(names)):
            raise EvidenceRefused(reason="names must differ and stand in order")
        if len(self.salt) != 32:
            raise EvidenceRefused(reason="a salt has 32 bytes", size=len(self.salt))
        total = sum(entry.size for entry in self.entries)
        if total > BUNDLE_MAX_BYTES:
            raise EvidenceRefused(reason="bundle too large", size=total, size_max=BUNDLE_MAX_BYTES)
        for entry in self.entries:
            _check_name(entry.name)
            if not _MEDIA_TYPE.fullmatch(entry.media_type):
                raise EvidenceRefused(reason="media type", name=entry.name, media_type=entry.media_type[:100])
            if not 0 <= entry.size <= FILE_MAX_BYTES:
                raise EvidenceRefused(
                    reason="file too large", name=entry.name, size=entry.size, size_max=FILE_MAX_BYTES
                )

    @cached_property
    def root(self) -> bytes:
        """The evidence root: 32 bytes that commit to every file."""
        return merkle.root(self._leaves())

    def prove(self, name: str) -> FileProof:
        """Return the proof for one file; raises EvidenceMissing when the bundle has none of that name."""
        for place, entry in enumerate(self.entries):
            if entry.name == name:
                return FileProof(entry, self._file_salt(name), merkle.prove(self._leaves(), place))
        raise EvidenceMissing(root="0x" + self.root.hex(), name=name)

    def content(self) -> bytes:
        """Return the manifest as it is stored."""
        entries: list[Json] = [entry.document() for entry in self.entries]
        return canonical({"files": entries, "salt": self.salt.hex()})

    @classmethod
    def read(cls, content: bytes) -> Manifest:
        """Read a stored manifest; raises DocumentMalformed or EvidenceRefused."""
        document = parse(content)
        try:
            if set(document) != {"files", "salt"}:
                raise DocumentMalformed(reason="fields of a manifest")
            entries = tuple(_read_entry(entry) for entry in document["files"])
            return cls(entries, bytes.fromhex(document["salt"]))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise DocumentMalformed(reason=f"manifest: {error}"[:200]) from error

    @classmethod
    def of(cls, files: Iterable[EvidenceFile], salt: bytes) -> Manifest:
        """Return the manifest of these files; their order does not matter."""
        entries = [
            ManifestEntry(file.name, file.media_type, sha256(file.content).hex(), len(file.content))
            for file in files
        ]
        return cls(tuple(sorted(entries, key=lambda entry: entry.name)), salt)

    def _file_salt(self, name: str) -> bytes:
        return hmac.digest(self.salt, name.encode(), "sha256")

    def _leaves(self) -> list[bytes]:
        return [_leaf(self._file_salt(entry.name), entry) for entry in self.entries]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle before it is stored: its files and the salt of its commitments (32 bytes, kept off chain).

    The salt comes from the caller, so that a retry gives the same root: derive it from a secret and the
    bundle's name (`bundle_salt`).
    """

    files: tuple[EvidenceFile, ...]
    salt: bytes


def bundle_salt(secret: bytes, name: str) -> bytes:
    """Return the salt of the bundle of this name: the same for a retry, unguessable without the secret."""
    return hmac.digest(secret, b"evidence:" + name.encode(), "sha256")


def _leaf(file_salt: bytes, entry: ManifestEntry) -> bytes:
    return hmac.digest(file_salt, canonical(entry.document()), "sha256")


def _check_name(name: str) -> None:
    """Take a name that is a name in every file system, and looks like what it is."""
    plain = name.isprintable() and unicodedata.is_normalized("NFC", name)
    plain = plain and not set(name) & set('/\\:*?"<>|')
    if not plain or not 0 < len(name) <= NAME_MAX_CHARS or name[0] in ". " or name[-1] in ". ":
        raise EvidenceRefused(reason="name", name=ascii(name)[:150])


def _read_entry(entry: Any) -> ManifestEntry:
    if set(entry) != {"name", "media_type", "sha256", "size"}:
        raise DocumentMalformed(reason="fields of a manifest entry")
    if not all(isinstance(entry[field], str) for field in ("name", "media_type", "sha256")):
        raise DocumentMalformed(reason="texts of a manifest entry")
    if type(entry["size"]) is not int:
        raise DocumentMalformed(reason="size of a manifest entry")
    if entry["sha256"] != bytes32(entry["sha256"]).hex():
        raise DocumentMalformed(reason="hash of a manifest entry")
    return ManifestEntry(entry["name"], entry["media_type"], entry["sha256"], entry["size"])
