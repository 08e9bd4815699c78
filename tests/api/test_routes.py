"""Every route has a role check, or is listed here as public."""

from __future__ import annotations

from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import Route

from api.app import create_app
from api.openapi import roles_of
from api.routing import CheckedRoute
from api.settings import Settings

PUBLIC = {
    "/sign-in/nonce", "/sign-in", "/health", "/totals", "/units", "/units/{unit}", "/periods",
    "/periods/{period}", "/statuses", "/defaults", "/retirements/surrenders", "/retirements/cancellations",
    "/profiles/{account}", "/verifiers", "/providers", "/projects", "/reductions", "/epochs",
    "/points/epochs", "/instruments", "/books/{unit}", "/trades", "/ws/market/{unit}",
}  # fmt: skip
DOCUMENTS = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}


def _routes() -> list[RouteContext]:
    return list(iter_route_contexts(create_app(Settings()).routes))


def test_every_route_has_a_role_check_or_is_public() -> None:
    public = set()
    for route in _routes():
        if isinstance(route.original_route, APIRoute):
            if roles_of(route) is None:
                assert route.methods in ({"GET"}, {"POST"}), route.path
                public.add(route.path)
        elif not (isinstance(route.original_route, Route) and route.path in DOCUMENTS):
            public.add(route.path)
    assert public == PUBLIC


def test_nobody_but_the_signed_in_changes_anything() -> None:
    for route in _routes():
        if {"PUT", "DELETE", "PATCH"} & (route.methods or set()):
            roles = roles_of(route)
            assert roles, route.path
            assert "public" not in roles, route.path


def test_every_route_looks_at_its_body_before_it_is_parsed() -> None:
    for route in _routes():
        if isinstance(route.original_route, APIRoute):
            assert isinstance(route.original_route, CheckedRoute), route.path


def test_each_act_on_chain_can_be_prepared() -> None:
    document = create_app(Settings()).openapi()
    for path, operations in document["paths"].items():
        body = operations.get("put", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        name = body.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
        if name.startswith("Signed"):
            assert "post" in document["paths"][f"{path}/transaction"], path
            assert operations["put"]["x-roles"] == document["paths"][f"{path}/transaction"]["post"]["x-roles"]


def test_every_operation_is_described() -> None:
    document = create_app(Settings()).openapi()
    names = set()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert operation["description"].endswith((".", "`.")), path
            names.add(operation["operationId"])
            for status, answer in operation["responses"].items():
                assert answer["description"], (path, status)
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)
            if "x-roles" in operation:
                assert operation["security"] == [{"token": []}], path
                assert {"401", "403"} <= operation["responses"].keys(), path
    assert len(names) == sum(len(operations) for operations in document["paths"].values())
