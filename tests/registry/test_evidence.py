"""Evidence: kept under its hash, and every change is named."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.documents import canonical, parse, sha256
from registry.evidence import EvidenceStore
from registry.manifest import Bundle, EvidenceFile, Manifest, bundle_salt
from registry.refusals import DocumentMalformed, EvidenceAltered, EvidenceMissing, EvidenceRefused

SALT = bundle_salt(b"secret", "a bundle")
METER = EvidenceFile("meter.csv", "text/csv", b"hour,kwh\n1,20\n")
INVOICE = EvidenceFile("发票-1.pdf", "application/pdf", b"%PDF coal 100 t")
BUNDLE = Bundle((METER, INVOICE), SALT)


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path / "evidence")


def path_of(tmp_path: Path, name: str) -> Path:
    return tmp_path / "evidence" / name[:2] / name


def test_the_root_on_chain_leads_to_every_file(store: EvidenceStore) -> None:
    root = store.put_bundle(BUNDLE).root
    assert store.files("0x" + root.hex()) == [METER, INVOICE]
    assert list(store.check()) == []


def test_files_are_for_their_owner_only(store: EvidenceStore, tmp_path: Path) -> None:
    name = store.put(METER.content).hex()
    assert stat.S_IMODE(path_of(tmp_path, name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "evidence").stat().st_mode) == 0o700


def test_putting_again_changes_nothing_and_gives_the_same_root(store: EvidenceStore) -> None:
    turned = Bundle((INVOICE, METER), SALT)
    assert store.put_bundle(BUNDLE) == store.put_bundle(turned)


def test_many_bundles_are_stored_as_one_by_one(store: EvidenceStore) -> None:
    bundles = [Bundle((EvidenceFile("n.txt", "text/plain", b"%d" % n),), SALT) for n in range(50)]
    roots = [manifest.root for manifest in store.put_bundles(bundles)]
    assert [store.files(root)[0].content for root in roots] == [b"%d" % n for n in range(50)]


def test_one_file_is_proven_without_the_others(store: EvidenceStore) -> None:
    manifest = store.put_bundle(BUNDLE)
    proof = manifest.prove("meter.csv")
    assert proof.holds(manifest.root)
    assert not proof.holds(Manifest.of([INVOICE], SALT).root)


def test_the_root_says_nothing_without_the_salt() -> None:
    assert Manifest.of([METER], SALT).root != Manifest.of([METER], bundle_salt(b"secret", "another")).root


@given(contents=st.lists(st.binary(max_size=30), min_size=1, max_size=6), place=st.integers(0, 5))
def test_any_change_of_any_file_changes_the_root(contents: list[bytes], place: int) -> None:
    files = [EvidenceFile(f"{n}", "text/plain", content) for n, content in enumerate(contents)]
    place %= len(files)
    other = [*files]
    other[place] = EvidenceFile(files[place].name, "text/plain", files[place].content + b"!")
    assert Manifest.of(files, SALT).root != Manifest.of(other, SALT).root


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_a_document_has_one_spelling(value: object) -> None:
    try:
        spelled = canonical(value)  # type: ignore[arg-type]
    except DocumentMalformed:
        return  # lone surrogates are no text
    assert parse(spelled) == value
    with pytest.raises(DocumentMalformed):
        parse(spelled + b" ")


NO_DOCUMENTS = [
    b"1.5", b'{"a":1,"a":1}', b"\xff", b"", b"NaN", b"1" * 5_000, b"[" * 100_000, b"[" * 100 + b"]" * 100,
]  # fmt: skip


@pytest.mark.parametrize("content", NO_DOCUMENTS, ids=range(len(NO_DOCUMENTS)))
def test_what_is_no_document_is_refused(content: bytes) -> None:
    with pytest.raises(DocumentMalformed):
        parse(content)


def test_an_altered_file_is_named(store: EvidenceStore, tmp_path: Path) -> None:
    root = store.put_bundle(BUNDLE).root
    name = sha256(METER.content).hex()
    path_of(tmp_path, name).write_bytes(METER.content.replace(b"20", b"10"))
    with pytest.raises(EvidenceAltered) as refusal:
        store.files(root)
    assert refusal.value.facts["file"] == name
    assert [wrong.facts["file"] for wrong in store.check()] == [name]
    assert [type(wrong) for wrong in store.check_commitments(["0x" + root.hex()], [])] == [EvidenceAltered]


def test_a_missing_file_is_named(store: EvidenceStore, tmp_path: Path) -> None:
    root = store.put_bundle(BUNDLE).root
    name = sha256(INVOICE.content).hex()
    path_of(tmp_path, name).unlink()
    with pytest.raises(EvidenceMissing) as refusal:
        store.files(root)
    assert refusal.value.facts["file"] == name
    assert [wrong.facts["name"] for wrong in store.check()] == ["发票-1.pdf"]


def test_a_missing_document_behind_a_hash_on_chain_is_named(store: EvidenceStore) -> None:
    missing = "0x" + "ab" * 32
    wrong = list(store.check_commitments([missing], [missing]))
    assert [each.facts["file"] for each in wrong] == ["ab" * 32 + ".manifest", "ab" * 32]


def test_an_altered_manifest_is_named(store: EvidenceStore, tmp_path: Path) -> None:
    root = store.put_bundle(BUNDLE).root
    path = path_of(tmp_path, f"{root.hex()}.manifest")
    path.write_bytes(path.read_bytes().replace(b"text/csv", b"text/xml"))
    with pytest.raises(EvidenceAltered):
        store.manifest(root)
    path.write_bytes(b"{")
    with pytest.raises(EvidenceAltered):
        store.manifest(root)


def test_putting_a_file_does_not_hide_that_it_was_altered(store: EvidenceStore, tmp_path: Path) -> None:
    name = store.put(METER.content).hex()
    path_of(tmp_path, name).write_bytes(b"")
    with pytest.raises(EvidenceAltered):
        store.put(METER.content)


def test_what_a_crash_left_unfinished_is_no_evidence(store: EvidenceStore, tmp_path: Path) -> None:
    name = store.put(METER.content).hex()
    path_of(tmp_path, name).with_name(f".{name}.1.0").write_bytes(b"half")
    assert list(store.check()) == []


UNSAFE = ["", "../up", "a/b", "a\\b", ".hidden", "end.", "tab\t", "a" * 121, "e\u0301", "nul\0"]


@pytest.mark.parametrize("name", UNSAFE, ids=range(len(UNSAFE)))
def test_an_unsafe_name_is_refused(name: str) -> None:
    with pytest.raises(EvidenceRefused):
        Manifest.of([EvidenceFile(name, "text/plain", b"")], SALT)


@pytest.mark.parametrize(
    "files",
    [
        [],
        [METER, METER],
        [EvidenceFile("a", "text", b"")],
        [EvidenceFile("a", "TEXT/plain; charset=x", b"")],
        [EvidenceFile(str(n), "text/plain", b"") for n in range(1_001)],
    ],
)
def test_a_bundle_that_is_none_is_refused(files: list[EvidenceFile]) -> None:
    with pytest.raises(EvidenceRefused):
        Manifest.of(files, SALT)


def test_a_file_too_large_is_refused_with_its_size(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.evidence.FILE_MAX_BYTES", 10)
    with pytest.raises(EvidenceRefused) as refusal:
        store.put(b"x" * 11)
    assert (refusal.value.facts["size"], refusal.value.facts["size_max"]) == (11, 10)


@pytest.mark.parametrize("root", ["0x12", "zz" * 32, "../../etc/passwd", b"short"])
def test_what_is_no_hash_leads_nowhere(store: EvidenceStore, root: str | bytes) -> None:
    with pytest.raises(DocumentMalformed):
        store.manifest(root)
