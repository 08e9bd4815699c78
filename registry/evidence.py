"""Evidence: files that nobody can change without its being seen.

A file lies under the SHA-256 of its content (`ab/abcd...`), a bundle's manifest (`registry.manifest`) under
its evidence root (`ab/abcd....manifest`): the chain's `evidenceRoot` leads to it, and it to the files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Final

from registry.documents import bytes32, sha256
from registry.manifest import FILE_MAX_BYTES, Bundle, EvidenceFile, Manifest
from registry.refusals import DocumentMalformed, EvidenceAltered, EvidenceMissing, EvidenceRefused

_STORED_NAME = re.compile(r"[0-9a-f]{64}(\.manifest)?", re.ASCII)
_FLUSHERS: Final = 8


class EvidenceStore:
    """Files under their own hash, in one directory, readable by their owner only."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._serial = count()

    def put(self, content: bytes) -> bytes:
        """Store one file durably and return its SHA-256; storing it again changes nothing.

        Raises
        ------
        EvidenceRefused :
            It is larger than `FILE_MAX_BYTES`.
        EvidenceAltered :
            A file lies under its name that is another.
        """
        return self.put_many([content])[0]

    def put_many(self, contents: Sequence[bytes]) -> list[bytes]:
        """Store many files and return their hashes, in order: durable together, at one flush a directory.

        Raises like `put`; then some of the files may be stored, which harms nobody.
        """
        for content in contents:
            if len(content) > FILE_MAX_BYTES:
                raise EvidenceRefused(reason="file too large", size=len(content), size_max=FILE_MAX_BYTES)
        digests = [sha256(content) for content in contents]
        self._write({digest.hex(): content for digest, content in zip(digests, contents, strict=True)})
        return digests

    def get(self, digest: bytes | str) -> bytes:
        """Return the file of this SHA-256, checked.

        Raises
        ------
        EvidenceMissing :
            There is no such file.
        EvidenceAltered :
            The file under this name is another.
        """
        wanted = bytes32(digest)
        content = self._read(wanted.hex())
        found = sha256(content)
        if found != wanted:
            raise EvidenceAltered(file=wanted.hex(), found=found.hex())
        return content

    def has(self, digest: bytes | str) -> bool:
        """Say whether a file of this SHA-256 is there, unread."""
        return self._path(bytes32(digest).hex()).is_file()

    def put_bundle(self, bundle: Bundle) -> Manifest:
        """Store a bundle's files and manifest durably; raises EvidenceRefused, EvidenceAltered."""
        return self.put_bundles([bundle])[0]

    def put_bundles(self, bundles: Sequence[Bundle]) -> list[Manifest]:
        """Store many bundles, in order, durable together; the manifests come last."""
        manifests = [Manifest.of(bundle.files, bundle.salt) for bundle in bundles]
        self.put_many([file.content for bundle in bundles for file in bundle.files])
        self._write({f"{manifest.root.hex()}.manifest": manifest.content() for manifest in manifests})
        return manifests

    def manifest(self, evidence_root: bytes | str) -> Manifest:
        """Return the manifest of an evidence root, checked; raises EvidenceMissing, EvidenceAltered."""
        wanted = bytes32(evidence_root)
        name = f"{wanted.hex()}.manifest"
        content = self._read(name)
        try:
            manifest = Manifest.read(content)
        except (DocumentMalformed, EvidenceRefused) as refusal:
            raise EvidenceAltered(file=name, found=str(refusal)[:200]) from refusal
        if manifest.root != wanted:
            raise EvidenceAltered(file=name, found=manifest.root.hex())
        return manifest

    def files(self, evidence_root: bytes | str) -> list[EvidenceFile]:
        """Return every file behind an evidence root, checked; raises EvidenceMissing, EvidenceAltered."""
        entries = self.manifest(evidence_root).entries
        return [EvidenceFile(entry.name, entry.media_type, self.get(entry.sha256)) for entry in entries]

    def check_commitments(
        self, evidence_roots: Iterable[str], documents: Iterable[str]
    ) -> Iterator[EvidenceMissing | EvidenceAltered]:
        """Yield what is wrong behind hashes that stand on chain: evidence roots and single documents."""
        for evidence_root in evidence_roots:
            try:
                self.files(evidence_root)
            except (EvidenceMissing, EvidenceAltered) as wrong:
                yield wrong
        for document in documents:
            try:
                self.get(document)
            except (EvidenceMissing, EvidenceAltered) as wrong:
                yield wrong

    def check(self) -> Iterator[EvidenceMissing | EvidenceAltered]:
        """Yield what is wrong in the whole store: an altered file, a manifest whose files are gone."""
        for path in sorted(self._directory.glob("??/*")):
            if not _STORED_NAME.fullmatch(path.name):
                continue  # what a crash left of an unfinished write
            try:
                if path.suffix:
                    for entry in self.manifest(path.stem).entries:
                        if not self.has(entry.sha256):
                            raise EvidenceMissing(file=entry.sha256, root=path.stem, name=entry.name)
                else:
                    self.get(path.name)
            except (EvidenceMissing, EvidenceAltered) as wrong:
                yield wrong

    def _path(self, name: str) -> Path:
        return self._directory / name[:2] / name

    def _read(self, name: str) -> bytes:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            raise EvidenceMissing(file=name) from None

    def _write(self, contents: dict[str, bytes]) -> None:
        """Write files under their names: content first and flushed, then the name, then the directories."""
        fresh = {name: content for name, content in contents.items() if not self._same(name, content)}
        directories = sorted({self._path(name).parent for name in fresh})
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for directory in directories:
            directory.mkdir(exist_ok=True, mode=0o700)
        if len(fresh) < _FLUSHERS:
            for name, content in fresh.items():
                self._write_one(name, content)
        else:  # many flushes at once share the disk's commits
            with ThreadPoolExecutor(_FLUSHERS) as flushers:
                list(flushers.map(self._write_one, fresh, fresh.values()))
        for directory in directories:
            _flush_directory(directory)
        if directories:
            _flush_directory(self._directory)

    def _same(self, name: str, content: bytes) -> bool:
        try:
            stored = self._read(name)
        except EvidenceMissing:
            return False
        if stored != content:  # putting over it would hide that it was changed
            raise EvidenceAltered(file=name, found=sha256(stored).hex())
        return True

    def _write_one(self, name: str, content: bytes) -> None:
        path = self._path(name)
        draft = path.with_name(f".{name}.{os.getpid()}.{next(self._serial)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fdatasync(handle)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def _flush_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
