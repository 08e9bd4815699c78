"""brownie as it is published: a project's tests with gas and coverage, and its console."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chain.clients.tools import ROOT, brownie_environment
from tests.support.processes import running_node

HERE = Path(__file__).parent
DEADLINE_S = 240
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
NETWORKS = """\
live: []
development:
  - name: CARAT's own node
    id: carat-node
    cmd: python -m chain.node --test-methods
    host: {url}
    timeout: 120
    cmd_settings: {{}}
"""
CONSOLE = """\
counter = accounts[0].deploy(Counter)
done = counter.add(4, {"from": accounts[1]})
print("RETURNED", done.return_value, counter.count())
done.info()
done.call_trace()
failed = counter.add(40, {"from": accounts[0], "gas_limit": 200000, "allow_revert": True})
print("REASON", failed.status, failed.revert_msg)
failed.traceback()
print("CHAIN", chain.id, len(chain), web3.is_connected(), network.show_active())
chain.undo(2)
print("UNDONE", counter.count(), len(chain))
exit()
"""

Brownie = Callable[..., str]


@pytest.fixture
def brownie(tmp_path: Path) -> Iterator[Brownie]:
    """Run brownie in a copy of the project, against a node of its own; what it prints, without colours."""
    project, home = tmp_path / "project", tmp_path / "home"
    shutil.copytree(HERE / "brownie_project", project)
    environment, path = brownie_environment()
    compiler = home / ".solcx" / "solc-v0.8.30"
    compiler.parent.mkdir(parents=True)
    compiler.symlink_to(ROOT / "scripts" / "solc")
    networks = home / ".brownie" / "network-config.yaml"
    networks.parent.mkdir()
    with running_node(tmp_path / "chain") as node:
        networks.write_text(NETWORKS.format(url=node.url), encoding="utf-8")
        environ = {
            **os.environ,
            "HOME": str(home),
            "PATH": path,
            "PYTHONPATH": str(HERE / "brownie_plain"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SOLCX_BINARY_PATH": str(home / ".solcx"),
        }

        def run(*arguments: str, typed: str = "") -> str:
            done = subprocess.run(
                [environment / "bin" / "brownie", *arguments, "--network", "carat-node"],
                cwd=project,
                env=environ,
                input=typed,
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
                check=False,
            )
            said = COLOURS.sub("", done.stdout + done.stderr)
            assert done.returncode == 0, said[-4_000:]
            return said

        yield run


@pytest.mark.timeout(300)
def test_a_projects_tests_pass_with_gas_and_coverage(brownie: Brownie) -> None:
    said = brownie("test", "--coverage", "--gas", "-p", "no:warnings")
    assert "7 passed" in said
    gas, coverage = said[said.index("Gas Profile") :].split("= Coverage =")
    added = re.search(r"add +-  avg: +(\d+)  avg \(confirmed\): +(\d+)  low: +(\d+)  high: +(\d+)", gas)
    assert added is not None
    average, confirmed, low, high = map(int, added.groups())
    assert 21_000 < low < average < confirmed == high < 60_000
    assert re.search(r"constructor +-  avg: +\d+", gas)
    assert re.search(r"contract: Counter - (\d+\.\d)%", coverage)
    assert "Counter.add - 100.0%" in coverage
    assert "Counter.unused - 0.0%" in coverage


@pytest.mark.timeout(300)
def test_the_console_deploys_calls_explains_and_undoes(brownie: Brownie) -> None:
    said = brownie("console", typed=CONSOLE)
    assert "RETURNED 4 4" in said
    assert "Function: Counter.add" in said
    assert "count: 4" in said
    assert re.search(r"Counter\.add +0:\d+ +\[\d+ gas\]", said)
    assert "REASON 0 CounterTooHigh: 44, 10" in said
    assert 'File "contracts/Counter.sol", line 13, in Counter.add' in said
    assert "CHAIN 7327 4 True carat-node" in said
    assert "UNDONE 0 2" in said
