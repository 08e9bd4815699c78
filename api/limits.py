"""How large a request may be: a bound for all paths, another for evidence files.

A declared length beyond the bound is refused unread; a body that grows beyond it is refused on the way.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import too_large
from registry.manifest import FILE_MAX_BYTES

_EVIDENCE: Final = "/evidence/"
_DIGITS_MAX: Final = 15


class BodyLimit:
    """ASGI middleware that bounds request bodies."""

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; a body that is too large is a problem with status 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        bytes_max = FILE_MAX_BYTES if scope["path"].startswith(_EVIDENCE) else self._bytes_max
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isascii() or not declared.isdigit() or len(declared) > _DIGITS_MAX:
            declared = str(bytes_max + 1)
        if int(declared) > bytes_max:
            await too_large(bytes_max)(scope, receive, send)
            return
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > bytes_max:
                raise HTTPException(413)
            return message

        await self._app(scope, bounded, send)
