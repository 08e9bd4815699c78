"""geth is built once, at exactly one version, or it is said why it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from consortium_tools import besu_network, geth_binary
from consortium_tools.errors import EngineMissing

ROOT = Path(__file__).parents[2]


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without geth, Go and Besu, and with nothing built."""
    monkeypatch.setattr(geth_binary, "TOOLS", tmp_path / "tools")
    monkeypatch.delenv("CARAT_GETH", raising=False)
    monkeypatch.delenv("CARAT_BESU", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")


def go(tmp_path: Path, version: str, installs: str) -> Path:
    """A Go that notes how it was called and installs a geth which says some version."""
    return program(
        tmp_path / "bin" / "go",
        f'if [ "$1" = env ]; then echo {version}; exit; fi\n'
        f'echo "$@" >> {tmp_path}/calls; env | grep -E "^(GO|CGO)" >> {tmp_path}/environment\n'
        f"printf '#!/bin/sh\\necho \"Version: {installs}-stable\"\\n' > $GOBIN/geth; chmod +x $GOBIN/geth",
    )


@pytest.mark.skipif(Path("/usr/bin/go").exists(), reason="this machine has a Go in /usr/bin")
def test_without_go_it_is_said_what_to_do() -> None:
    with pytest.raises(EngineMissing, match=r"there is no `go` here: install Go 1\.21 or newer"):
        geth_binary.find_or_build()


def test_it_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    go(tmp_path, "go1.26.8", geth_binary.VERSION)
    first = geth_binary.find_or_build()
    assert geth_binary.find_or_build() == first
    assert geth_binary.version_of(first) == "1.13.15"
    calls = (tmp_path / "calls").read_text("ascii").splitlines()
    assert calls == [f"install -trimpath -ldflags=-checklinkname=0 {geth_binary.MODULE}"]
    environment = (tmp_path / "environment").read_text("ascii").splitlines()
    assert {"GOFLAGS=", "GOTOOLCHAIN=local", "GOWORK=off"} <= set(environment)


@pytest.mark.parametrize(("version", "flag"), [("go1.21.0", False), ("go1.22.12", False), ("go1.23.0", True)])
def test_the_linker_is_told_only_where_it_would_refuse(tmp_path: Path, version: str, flag: bool) -> None:
    go(tmp_path, version, geth_binary.VERSION)
    geth_binary.find_or_build()
    assert ("-checklinkname=0" in (tmp_path / "calls").read_text("ascii")) is flag


def test_an_old_go_is_not_tried(tmp_path: Path) -> None:
    go(tmp_path, "go1.19.8", geth_binary.VERSION)
    with pytest.raises(EngineMissing, match=r"needs Go 1\.21 or newer; here is go1\.19\.8"):
        geth_binary.find_or_build()
    assert not (tmp_path / "calls").exists()


def test_a_build_of_another_version_is_not_taken(tmp_path: Path) -> None:
    go(tmp_path, "go1.22.0", "1.14.0")
    with pytest.raises(EngineMissing, match=r"says version 1\.14\.0; 1\.13\.15 was asked for"):
        geth_binary.find_or_build()


def test_a_failed_build_says_its_last_lines(tmp_path: Path) -> None:
    program(
        tmp_path / "bin" / "go",
        'if [ "$1" = env ]; then echo go1.22.0; exit; fi\necho "dial tcp: no route to host" >&2; exit 1',
    )
    with pytest.raises(EngineMissing, match="no route to host"):
        geth_binary.find_or_build()


def test_a_named_geth_is_taken_only_at_this_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = program(tmp_path / "mine", "echo 'Version: 1.13.15-stable-c5ba367e'")
    monkeypatch.setenv("CARAT_GETH", str(named))
    assert geth_binary.find_or_build() == named
    program(named, "echo 'Version: 1.16.4-stable'")
    with pytest.raises(EngineMissing, match=r"is geth 1\.16\.4; 1\.13\.15 is needed"):
        geth_binary.find_or_build()


def test_the_script_never_builds_when_asked_only_whether_it_is_there() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "geth", "--have"], capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 3}
    assert ("is not built" in done.stderr) is (done.returncode == 3)


def test_besu_is_looked_for_and_its_absence_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EngineMissing, match="no package registry holds it"):
        besu_network.find()
    program(tmp_path / "bin" / "besu", "echo besu/v26.2.0/linux-x86_64/openjdk-java-21")
    with pytest.raises(EngineMissing, match=r"is Besu 26\.2; 26\.3\.0 or newer is needed"):
        besu_network.find()
    program(tmp_path / "bin" / "besu", "echo besu/v26.3.0/linux-x86_64/openjdk-java-21")
    assert besu_network.find() == str(tmp_path / "bin" / "besu")
    monkeypatch.setenv("CARAT_BESU", str(tmp_path / "nothing"))
    with pytest.raises(EngineMissing, match="is Besu unknown"):
        besu_network.find()
