"""The `carat` command: what it says, and how it refuses."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from api.cli import app, main
from api.stack.paths import DataDirectory, write_json
from chain.keys import Keyring

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def carat(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.delenv("CARAT_DATA_DIR", raising=False)
    monkeypatch.setenv("CARAT_PASSPHRASE", "correct horse")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["carat", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err  # type: ignore[return-value]

    return run


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """The data directory of a stack that was started once and does not run now."""
    data = DataDirectory(tmp_path)
    Keyring.create(data.keyring, "correct horse")
    write_json(data.stack, {"urls": {"api": "http://127.0.0.1:9"}, "pids": {}})
    return tmp_path


def test_keys_are_shown_by_label(carat: Run, stopped: Path) -> None:
    code, out, _ = carat("keys", "firm:a", "firm:b", "--data-dir", stopped, "--json")
    shown = {row["label"]: row["address"] for row in json.loads(out)["keys"]}
    keyring = Keyring.open(stopped / "keys.json", "correct horse")
    assert code == 0
    assert shown == {label: keyring.signer(label).address for label in ("firm:a", "firm:b")}


def test_the_seeded_members_are_shown_by_default(carat: Run, stopped: Path) -> None:
    code, out, _ = carat("keys", "--data-dir", stopped)
    assert code == 0
    assert "verifier:hengzheng" in out


def test_a_refusal_is_one_line_and_exit_code_two(carat: Run, tmp_path: Path) -> None:
    assert carat("keys", "--data-dir", tmp_path / "none") == (
        2,
        "",
        f"error: StackMissing: data_dir={tmp_path / 'none'}\n",
    )


def test_with_json_a_refusal_is_an_object_too(carat: Run, tmp_path: Path) -> None:
    code, out, err = carat("keys", "--data-dir", tmp_path, "--json")
    assert code == 2
    assert json.loads(out)["error"]["code"] == "StackMissing"
    assert json.loads(out)["error"]["facts"] == {"data_dir": str(tmp_path)}
    assert err.startswith("error: StackMissing")


def test_another_passphrase_does_not_open_the_keys(
    carat: Run, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARAT_PASSPHRASE", "wrong")
    code, _, err = carat("keys", "--data-dir", stopped)
    assert (code, err.split(":")[1].strip()) == (2, "KeyringLocked")


@pytest.mark.parametrize(
    ("args", "refusal"),
    [
        (("sign-in",), "WhoMissing"),
        (("sign-in", "--role", "firm", "--label", "firm:a"), "WhoMissing"),
        (("sign-in", "--role", "firm"), "StackNotRunning"),
        (("projection", "rebuild"), "StackMissing"),
    ],
)
def test_what_cannot_be_done_is_refused(
    carat: Run, stopped: Path, args: tuple[str, ...], refusal: str
) -> None:
    code, _, err = carat(*args, "--data-dir", stopped)
    assert code == 2
    assert f"error: {refusal}:" in err
    assert "Traceback" not in err


def test_signing_in_needs_an_api_that_answers(carat: Run, stopped: Path) -> None:
    write_json(stopped / "stack.json", {"urls": {"api": "http://127.0.0.1:9"}, "pids": {"api": 1}})
    code, _, err = carat("sign-in", "--role", "firm", "--data-dir", stopped)
    assert (code, err) == (2, "error: ApiUnreachable: url=http://127.0.0.1:9 reason=ConnectError\n")


def test_a_role_that_nobody_has_is_refused_with_those_there_are(carat: Run, stopped: Path) -> None:
    write_json(stopped / "stack.json", {"urls": {"api": "http://127.0.0.1:9"}, "pids": {"api": 1}})
    code, _, err = carat("sign-in", "--role", "king", "--data-dir", stopped)
    assert code == 2
    assert err.startswith("error: RoleUnknown: role=king roles=regulator firm verifier")


def test_a_data_directory_that_cannot_be_is_refused(carat: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = carat("up", "--data-dir", tmp_path / "file" / "state", "--port", 0)
    assert code == 2
    assert "error: SystemRefused: reason=Not a directory" in err


def test_every_option_of_up_is_explained_in_the_guide() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "running.md").read_text(encoding="utf-8")
    command = typer.main.get_command(app).commands["up"]  # type: ignore[attr-defined]
    names = {name for option in command.params for name in option.opts + option.secondary_opts}
    assert {name for name in names if name not in guide} <= {"--seed"}  # its other form, --no-seed, is there


def test_an_unknown_option_is_refused(carat: Run) -> None:
    code, _, err = carat("keys", "--nonsense")
    assert code == 2
    assert "--nonsense" in err
