"""A body of 100,000 open brackets ended the API's process: a library had raised the recursion limit."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import asyncio, httpx
from api.app import create_app
from api.settings import Settings

async def main():
    transport = httpx.ASGITransport(create_app(Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        headers = {"content-type": "application/json"}
        response = await http.post("/sign-in/nonce", content=b"[" * 100_000, headers=headers)
        print(response.status_code, response.json()["code"])

asyncio.run(main())
"""


def test_a_deeply_nested_body_is_refused_and_the_process_lives() -> None:
    # A process of its own: the bug would end this one.
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "422 RequestMalformed"), done.stderr[-2_000:]
