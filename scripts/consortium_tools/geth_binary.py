"""geth, built from the Go module proxy into .build/tools and kept there.

1.13.15 is the last line that seals Clique blocks; 1.14 only reads them. Go checks the module against its
public checksum database, so the version says the bytes of the source.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from consortium_tools.errors import EngineMissing

ROOT = Path(__file__).resolve().parents[2]
VERSION = "1.13.15"
MODULE = f"github.com/ethereum/go-ethereum/cmd/geth@v{VERSION}"
TOOLS = ROOT / ".build" / "tools"
GO_OLDEST = (1, 21)  # the go line of geth's go.mod
# A dependency of this geth reaches into the runtime by linkname, which the linker refuses from here on.
GO_CHECKS_LINKNAMES = (1, 23)
BUILD_S_MAX = 900


def find_or_build() -> Path:
    """Return geth of exactly this version: CARAT_GETH, the one built before, or a new build (1 to 2 minutes).

    Raises
    ------
    EngineMissing :
        CARAT_GETH is another version; or there is no Go, an old Go, or the build failed.
    """
    named = os.environ.get("CARAT_GETH")
    if named:
        if version_of(Path(named)) != VERSION:
            raise EngineMissing(f"CARAT_GETH={named} is geth {version_of(Path(named))}; {VERSION} is needed")
        return Path(named)
    binary = TOOLS / f"geth-{VERSION}" / "geth"
    with _one_at_a_time(TOOLS / "geth.lock"):
        if version_of(binary) != VERSION:
            _build(binary.parent)
            if version_of(binary) != VERSION:
                raise EngineMissing(
                    f"the built geth says version {version_of(binary)}; {VERSION} was asked for"
                )
    return binary


def version_of(binary: Path) -> str | None:
    """Return what `geth version` says, None where there is no geth."""
    try:
        done = subprocess.run([binary, "version"], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"^Version: (\d+\.\d+\.\d+)", done.stdout, re.MULTILINE)
    return found.group(1) if found else None


def go_version(text: str) -> tuple[int, int] | None:
    """Return major and minor of `go env GOVERSION`, such as `go1.22.3`."""
    found = re.match(r"go(\d+)\.(\d+)", text.strip())
    return (int(found.group(1)), int(found.group(2))) if found else None


def linker_flags(version: tuple[int, int]) -> list[str]:
    """Return what `go install` needs beside the module's name."""
    return ["-ldflags=-checklinkname=0"] if version >= GO_CHECKS_LINKNAMES else []


def _build(folder: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise EngineMissing(
            f"geth {VERSION} is built by Go, and there is no `go` here: install Go {_dotted(GO_OLDEST)} or "
            "newer, or name a geth by CARAT_GETH"
        )
    asked = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False)
    version = go_version(asked.stdout)
    if version is None or version < GO_OLDEST:
        raise EngineMissing(
            f"geth {VERSION} needs Go {_dotted(GO_OLDEST)} or newer; here is {asked.stdout.strip() or 'none'}"
        )
    print(f"Building geth {VERSION} (about a minute) ...", file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    # The user's own GOFLAGS (-mod=vendor, say) and a workspace are for other modules.
    environment = {**os.environ, "GOBIN": str(folder), "GOFLAGS": "", "GOWORK": "off", "GOTOOLCHAIN": "local"}
    environment.setdefault("CGO_ENABLED", "1" if shutil.which("cc") else "0")
    command = [go, "install", "-trimpath", *linker_flags(version), MODULE]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=BUILD_S_MAX
        )
    except subprocess.TimeoutExpired:
        raise EngineMissing(f"building geth {VERSION} took more than {BUILD_S_MAX} s") from None
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise EngineMissing(f"`{' '.join(command)}` failed:\n{last}")


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
