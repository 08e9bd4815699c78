"""The API as a process of the stack: serves `api.app`, and says so when it does."""

from __future__ import annotations

import socket

import uvicorn

from api.app import create_app
from api.settings import Settings


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"ready http://{self.config.host}:{self.config.port}", flush=True)  # noqa: T201


def main() -> None:
    """Serve until SIGTERM, then finish the requests under way."""
    settings = Settings()
    config = uvicorn.Config(
        create_app(), host=settings.host, port=settings.port, log_level="warning", timeout_graceful_shutdown=5
    )
    _Server(config).run()


if __name__ == "__main__":
    main()
