"""The API: one FastAPI application, wired from its settings.

uvicorn api.app:create_app --factory
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from api.limits import BodyLimit
from api.openapi import describe, operation_id
from api.problems import add_problem_handlers
from api.routers import (
    firm,
    market,
    operators,
    people,
    proofs,
    public,
    records,
    regulator,
    sign_in,
    stream,
    supervision,
    verifier,
)
from api.services import build_services
from api.settings import Settings

_ROUTERS: Final = (
    sign_in.router,
    public.router,
    market.router,
    supervision.router,
    firm.router,
    verifier.router,
    people.router,
    regulator.router,
    operators.router,
    records.router,
    proofs.router,
)
_ABOUT: Final = """
Sign in with `POST /sign-in/nonce` and `POST /sign-in`, then send `Authorization: Bearer ...`.

An act on chain is signed by its actor: `POST .../transaction` answers the unsigned transaction, and `PUT`
takes the same fields with `signed_transaction`. The client makes every id; sending a PUT again answers
what the first did. Every refusal is `application/problem+json` with a code and its numbers.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; its services start and stop with it.

    Raises (when it starts)
    -----------------------
    KeyringLocked, DeploymentMissing, ProjectionRefused :
        The stack was not set up in this data directory.
    """
    chosen = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services = build_services(chosen)
        app.state.services = services
        services.indexer.start()
        try:
            yield
        finally:
            services.close()

    app = FastAPI(
        title="CARAT",
        version=version("carat"),
        summary="A carbon allowance registry and exchange.",
        description=_ABOUT,
        lifespan=lifespan,
        generate_unique_id_function=operation_id,
    )
    add_problem_handlers(app, chosen.retry_after_s)
    for router in _ROUTERS:
        app.include_router(router)
    app.include_router(stream.router)
    app.add_middleware(BodyLimit, bytes_max=chosen.request_bytes_max)
    if chosen.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(chosen.cors_origins),
            allow_methods=["GET", "PUT", "POST", "PATCH", "DELETE"],
            allow_headers=["authorization", "content-type"],
        )

    def openapi() -> dict[str, Any]:
        return describe(app)

    app.openapi = openapi  # type: ignore[method-assign]
    return app
