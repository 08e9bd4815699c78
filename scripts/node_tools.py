"""What tests of the chain take from npm: anvil, cast and viem as package-lock.json pins them, and Node.

Set up once, with the compiler of the contracts (contract_tools.py). Running CARAT needs none of it.
"""

import json
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from contract_tools import node_modules, tool_path

_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class ToolMissing(Exception):
    """A tool cannot be had on this machine."""


@dataclass(frozen=True)
class NodeTools:
    """Where the tools are."""

    node: Path
    modules: Path

    @property
    def anvil(self) -> Path:
        """The node of Foundry; raises ToolMissing."""
        return self._of_foundry("anvil")

    @property
    def cast(self) -> Path:
        """The command line client of Foundry; raises ToolMissing."""
        return self._of_foundry("cast")

    def _of_foundry(self, name: str) -> Path:
        system, machine = platform.system().lower(), platform.machine().lower()
        package = f"{name}-{system}-{_MACHINES.get(machine, machine)}"
        found = self.modules / "@foundry-rs" / package / "bin" / name
        if not found.exists():
            raise ToolMissing(f"npm has no {name} for {system} on {machine}")
        return found


def node_tools() -> NodeTools:
    """Install what is missing, and say where everything is."""
    modules, path = node_modules(), tool_path()
    node = shutil.which("node", path=path)
    assert node is not None  # tool_path makes sure of it
    return NodeTools(Path(node), modules)


def main() -> int:
    """Print where the tools are, as JSON: null for one that this machine cannot have."""
    tools = node_tools()
    found: dict[str, str | None] = {name: str(path) for name, path in asdict(tools).items()}
    for name in ("anvil", "cast"):
        try:
            found[name] = str(getattr(tools, name))
        except ToolMissing:
            found[name] = None
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
