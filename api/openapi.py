"""The shape that routes share in the OpenAPI document: what they answer, what they may refuse."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, status
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from api.auth.roles import Role
from api.dependencies import RoleCheck
from api.problems import Problem, refusals
from api.relay import UnsignedTransaction

_REFUSED_ON_CHAIN = (
    "What the contract refuses, by the Solidity error's name; RequestIdReused; TransactionRejected."
)


def operation_id(route: APIRoute) -> str:
    """Return a route's name in clients: its function's."""
    return route.name


def prepares(summary: str, more: dict[int, str] | None = None) -> dict[str, Any]:
    """Return what the decorator of a preparing route says; `more` are refusals of its own."""
    return {
        "summary": summary,
        "response_model": UnsignedTransaction,
        "responses": refusals({413: "RequestTooLarge."} | (more or {})),
    }


def performs(
    summary: str, answer: Any, refused: str = "", more: dict[int, str] | None = None
) -> dict[str, Any]:
    """Return what the decorator of an act's PUT says: 201, 200 for a repetition, its refusals."""
    conflicts = f"{refused}, {_REFUSED_ON_CHAIN}" if refused else _REFUSED_ON_CHAIN
    said = {
        409: conflicts,
        413: "RequestTooLarge.",
        422: "RequestMalformed, TransactionMalformed, TransactionMismatch.",
    }
    return {
        "summary": summary,
        "response_model": answer,
        "status_code": status.HTTP_201_CREATED,
        "responses": {
            **refusals(said | (more or {})),
            200: {"model": answer, "description": "Already done; nothing changed."},
        },
    }


def roles_of(route: RouteContext) -> tuple[Role, ...] | None:
    """Return the roles that a route lets in; None where there is no role check, which is a public route."""
    waiting = [route.dependant]
    while waiting:
        dependant = waiting.pop()
        if isinstance(dependant.call, RoleCheck):
            return dependant.call.roles
        waiting += dependant.dependencies
    return None


def _say_roles(document: dict[str, Any], app: FastAPI) -> None:
    for route in iter_route_contexts(app.routes):
        if not isinstance(route.original_route, APIRoute) or route.path_format is None:
            continue
        roles = roles_of(route)
        for method in (route.methods or set()) if roles is not None else ():
            operation = document["paths"][route.path_format][method.lower()]
            operation["x-roles"] = [role.value for role in roles or ()]


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, with the form of every refusal in it."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        template = "#/components/schemas/{model}"
        schema = Problem.model_json_schema(ref_template=template, mode="serialization")
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(schema.pop("$defs", {}))
        schemas["Problem"] = schema
        _say_roles(document, app)
        app.openapi_schema = document
    return app.openapi_schema
