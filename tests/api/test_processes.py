"""Processes of the stack: readiness, restarts, and ending with whoever started them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.stack import ports
from api.stack.lock import DataDirectoryInUse, DirectoryLock
from api.stack.process import Process, ProcessFailed, Program
from api.stack.supervisor import ProcessEvent, Supervisor

_SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(str(os.getpid()).encode())
def main():
    server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    print("preparing"); print("ready http://127.0.0.1:" + sys.argv[1])
    server.serve_forever()
"""
_DEAF = """
import signal, time
def main():
    signal.signal(signal.SIGTERM, signal.SIG_IGN); print("ready x"); time.sleep(60)
"""
_PROGRAMS = {
    "pid_server": _SERVER,
    "broken": "def main(): raise SystemExit('no room left')",
    "silent": "import time\ndef main(): time.sleep(60)",
    "deaf": _DEAF,
}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    for name, text in _PROGRAMS.items():
        (tmp_path / f"{name}.py").write_text(text)
    made: list[Process] = []

    def make_process(module: str, *args: str) -> Process:
        program = Program("server", module, args, {"PYTHONPATH": str(tmp_path)})
        made.append(Process(program, tmp_path / "logs" / "server.log"))
        return made[-1]

    yield make_process
    for process in made:
        process.stop(grace_s=0.1)


def answer(url: str) -> int:
    with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310
        return int(response.read())


def eventually(true: Callable[[], bool], within_s: float = 10.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.02)
    return true()


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_process_is_ready_when_it_says_so(make: Callable[..., Process]) -> None:
    port = ports.choose()
    process = make("pid_server", str(port))
    process.start()
    assert process.wait_ready(10) == ports.url(port)
    assert answer(ports.url(port)) == process.pid
    process.stop()
    assert process.exit_code() == -signal.SIGTERM


def test_a_process_that_cannot_start_says_why(make: Callable[..., Process]) -> None:
    process = make("broken")
    process.start()
    with pytest.raises(ProcessFailed) as refusal:
        process.wait_ready(10)
    assert (refusal.value.facts["exit_code"], refusal.value.facts["said"]) == (1, "no room left")


def test_a_process_that_never_says_ready_is_refused(make: Callable[..., Process]) -> None:
    process = make("silent")
    process.start()
    with pytest.raises(ProcessFailed) as refusal:
        process.wait_ready(0.2)
    assert refusal.value.facts["process"] == "server"


def test_a_prepared_process_waits_for_the_word(make: Callable[..., Process]) -> None:
    process = make("pid_server", str(ports.choose()))
    process.prepare()
    time.sleep(0.3)
    assert process.ready_url() is None
    process.go()
    process.wait_ready(10)


def test_who_does_not_hear_sigterm_is_killed(make: Callable[..., Process]) -> None:
    process = make("deaf")
    process.start()
    process.wait_ready(10)
    process.stop(grace_s=0.2)
    assert process.exit_code() == -signal.SIGKILL


def test_a_killed_process_comes_back_at_the_same_address(make: Callable[..., Process]) -> None:
    url = ports.url(ports.choose())
    process = make("pid_server", str(ports.port_of(url)))
    process.start()
    process.wait_ready(10)
    events: list[ProcessEvent] = []
    supervisor = Supervisor(events.append)
    supervisor.start([process])
    try:
        for round_number in (1, 2):
            pid = process.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            assert eventually(lambda n=round_number: len(events) == 3 * n)
            assert answer(url) != pid
    finally:
        supervisor.stop()
    assert [event.what for event in events] == ["ended", "started", "serving"] * 2
    assert (events[0].exit_code, events[2].url) == (-signal.SIGKILL, url)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_processes_end_with_whoever_started_them(tmp_path: Path, how: signal.Signals) -> None:
    (tmp_path / "pid_server.py").write_text(_SERVER)
    starter = f"""
import time
from pathlib import Path
from api.stack.process import Process, Program
process = Process(Program("server", "pid_server", ("{ports.choose()}",)), Path("server.log"))
process.start(); process.wait_ready(10); print(process.pid, flush=True); time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", starter], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.send_signal(how)
    assert eventually(lambda: not is_alive(pid))


def test_two_stacks_never_share_a_data_directory(tmp_path: Path) -> None:
    first = DirectoryLock(tmp_path / "lock")
    with pytest.raises(DataDirectoryInUse) as refusal:
        DirectoryLock(tmp_path / "lock")
    assert refusal.value.facts == {"path": str(tmp_path), "pid": os.getpid()}
    first.release()
    DirectoryLock(tmp_path / "lock").release()


def test_a_directory_is_taken_until_its_last_process_is_gone(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path / "lock")
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock.handle], text=True
    ) as process:
        lock.release()
        (tmp_path / "lock").write_text("2147483646")  # the starter is gone
        with pytest.raises(DataDirectoryInUse):
            DirectoryLock(tmp_path / "lock", patience_s=0.2)
        process.communicate("\n")
    DirectoryLock(tmp_path / "lock", patience_s=5).release()


def test_a_taken_port_is_not_chosen() -> None:
    with socket.socket() as taken:
        taken.bind((ports.LOOPBACK, 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        assert ports.choose(port) != port
        with pytest.raises(ports.PortInUse):
            ports.require_free(port)
    assert ports.choose(port) == port
