"""Found: some numbers on the node's command line ended it with a traceback, others made a chain of no use."""

from __future__ import annotations

from pathlib import Path

import pytest

from chain.node.__main__ import main


@pytest.mark.parametrize(
    "option",
    [
        ("--port", "65536"), ("--port", "-1"),
        ("--chain-id", "0"), ("--chain-id", "-1"), ("--chain-id", "9" * 90),
        ("--unlocked", "-5"), ("--unlocked", "9" * 9),
        ("--genesis-time", "9" * 23), ("--genesis-time", "0001-01-01"),
    ],
)  # fmt: skip
def test_it_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, str]
) -> None:
    name, value = option
    with pytest.raises(SystemExit) as end:
        main(["--data", str(tmp_path / "chain"), "--test-methods", f"{name}={value}"])
    assert end.value.code == 2
    assert f"error: argument {name}: " in capsys.readouterr().err
    assert not (tmp_path / "chain").exists()
