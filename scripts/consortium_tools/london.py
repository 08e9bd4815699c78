"""The contracts compiled for the London fork, for engines that stop there (Clique in every geth).

OpenZeppelin 5.7 copies memory with MCOPY, an instruction of Cancun, in hand-written assembly that the
compiler refuses for London whether or not a contract uses it. So each `mcopy(to, from, length)` in those
files is replaced, while compiling and nowhere else, by a loop over words that leaves the same memory. Every
other line is the same.
"""

from __future__ import annotations

import json
import re
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
OPENZEPPELIN = ROOT / "node_modules" / "@openzeppelin" / "contracts"

# Whole words in the direction in which no byte is overwritten before it was read, and last the bytes that
# fill no word, beside what stood there.
_COPY = """{{
    let copyTo := {to}
    let copyFrom := {source}
    let copyBytes := {length}
    let copyAt := 0
    switch gt(copyTo, copyFrom)
    case 0 {{
        for {{}} iszero(gt(add(copyAt, 32), copyBytes)) {{ copyAt := add(copyAt, 32) }} {{
            mstore(add(copyTo, copyAt), mload(add(copyFrom, copyAt)))
        }}
        copyBytes := sub(copyBytes, copyAt)
    }}
    default {{
        for {{}} gt(copyBytes, 31) {{}} {{
            copyBytes := sub(copyBytes, 32)
            mstore(add(copyTo, copyBytes), mload(add(copyFrom, copyBytes)))
        }}
    }}
    if copyBytes {{
        let copyKept := sub(shl(shl(3, sub(32, copyBytes)), 1), 1)
        copyTo := add(copyTo, copyAt)
        mstore(copyTo, or(and(mload(add(copyFrom, copyAt)), not(copyKept)), and(mload(copyTo), copyKept)))
    }}
}}"""


def compile_all() -> dict[str, str]:
    """Return the text of each artifact for London, by contract name; the ABI is that of chain/artifacts."""
    tool = compiler()
    tool.COMPILER["evm_version"] = "london"
    given = tool.standard_input()
    given["sources"] |= {name: {"content": text} for name, text in patched_sources().items()}
    output = tool.run_solc(given)
    errors = [error["formattedMessage"] for error in output.get("errors", [])]
    if errors:
        raise SystemExit("error: solc\n" + "\n".join(errors))
    artifacts = {}
    for name, source in tool.SOURCES.items():
        contract = output["contracts"][source][name]
        artifact = {
            "contract": name,
            "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
            "compiler": {"version": json.loads(contract["metadata"])["compiler"]["version"], **tool.COMPILER},
        }
        artifacts[name] = json.dumps(artifact, indent=1) + "\n"
    return artifacts


def patched_sources() -> dict[str, str]:
    """Return OpenZeppelin's files that use MCOPY, without it, by import name."""
    patched = {}
    for path in sorted(OPENZEPPELIN.rglob("*.sol")):
        text = path.read_text(encoding="utf-8")
        if "mcopy(" in text:
            patched[f"@openzeppelin/contracts/{path.relative_to(OPENZEPPELIN)}"] = without_mcopy(text)
    return patched


def without_mcopy(text: str) -> str:
    """Replace every `mcopy(to, from, length)` by a block that leaves the same memory.

    >>> "mcopy(" in without_mcopy("mcopy(add(a, 32), b, mul(n, 32))")
    False
    """
    parts, done = [], 0
    for found in re.finditer(r"\bmcopy\(", text):
        arguments, end = _arguments(text, found.end())
        if len(arguments) != 3:
            raise ValueError(f"mcopy with {len(arguments)} arguments at {found.start()}")
        to, source, length = arguments
        parts += [text[done : found.start()], _COPY.format(to=to, source=source, length=length)]
        done = end
    return "".join([*parts, text[done:]])


def _arguments(text: str, start: int) -> tuple[list[str], int]:
    """Return the arguments of the call whose bracket opened just before `start`, and where the call ends."""
    depth, place, found, begun = 1, start, [], start
    while depth:
        character = text[place]
        depth += (character == "(") - (character == ")")
        if depth == 0 or (depth == 1 and character == ","):
            found.append(text[begun:place].strip())
            begun = place + 1
        place += 1
    return found, place


def compiler() -> ModuleType:
    """Return scripts/compile_contracts as a module, what it needs set up."""
    loader = SourceFileLoader("compile_contracts", str(ROOT / "scripts" / "compile_contracts"))
    spec = spec_from_loader("compile_contracts", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    module.node_modules()
    return module
