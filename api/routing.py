"""The form of all routes: a JSON body is looked at before it is parsed.

The interpreter's parser recurses on the C stack, and libraries of the chain raise its limit to 100,000
levels: a body of nested brackets would end the process. So a body is first read by a parser with a bound
of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute


class _CheckedRequest(Request):
    async def json(self) -> Any:
        """Return the JSON body, with integers of any size; orjson refuses more than 1,024 levels."""
        body = await self.body()
        try:
            orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise json.JSONDecodeError(error.msg, error.doc, error.pos) from None
        return json.loads(body)


class CheckedRoute(APIRoute):
    """A route that parses bodies safely."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the route's handler."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            return await handle(_CheckedRequest(request.scope, request.receive))

        return checked


def new_router(tag: str, responses: dict[int | str, dict[str, Any]] | None = None) -> APIRouter:
    """Return a router for routes of one subject."""
    return APIRouter(tags=[tag], responses=responses, route_class=CheckedRoute)
