"""Builds the core's book as an engine of the public benchmark: a shared object without Python.

Cython names functions and data of the interpreter, in code that never runs here. They are given empty
stand-ins, so that the object loads on its own.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parent.parent / "exchange" / "core" / "native"


def build(harness: Path, into: Path, compiler: str) -> Path:
    """Compile the adapter against the harness's header; return the shared object.

    Raises
    ------
    subprocess.CalledProcessError :
        A compiler refused; its output is on the exception.
    """
    into.mkdir(parents=True, exist_ok=True)
    source, bare, stand_ins = into / "carat_adapter.c", into / "bare.o", into / "stand_ins.c"
    _run(sys.executable, "-m", "cython", "-3", "-I", NATIVE, HERE / "carat_adapter.pyx", "-o", source)
    # -march=native: the convention of the benchmark, for all engines. No vectors of two neighbouring fields:
    # read as one just after they were written as two, they wait for the cache.
    flags = ["-O3", "-march=native", "-fno-slp-vectorize", "-fno-strict-aliasing", "-fPIC", "-w"]
    flags += ["-fno-semantic-interposition"]
    includes = [f"-I{harness / 'api'}", f"-I{sysconfig.get_paths()['include']}"]
    _run(compiler, *flags, *includes, "-c", source, "-o", bare)
    stand_ins.write_text(_stand_ins(_run("nm", "--undefined-only", "--format=posix", bare)))
    engine = into / "carat_adapter.so"
    _run(compiler, "-shared", "-fPIC", "-w", bare, stand_ins, "-o", engine)
    return engine


def _stand_ins(symbols: str) -> str:
    names = sorted({line.split()[0] for line in symbols.splitlines() if line.startswith(("Py", "_Py"))})
    return "".join(f'char {name}[256] __attribute__((visibility("hidden")));\n' for name in names)


def _run(*command: str | Path) -> str:
    return subprocess.run([str(each) for each in command], check=True, capture_output=True, text=True).stdout
