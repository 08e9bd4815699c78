"""What routes are given: the services of this process, and who asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from sqlmodel import Session

from api.auth.roles import Role, RoleForbidden
from api.auth.tokens import TokenMalformed, TokenMissing
from api.services import Services

_BEARER: Final = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    bearerFormat="JWT",
    description="The token that `POST /sign-in` answers.",
)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: an account and what it is in the ledger."""

    address: str
    role: Role


async def services_of(request: Request) -> Services:
    """Return the services that the app's lifespan has started."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


ServicesDep = Annotated[Services, Depends(services_of)]


async def now_utc() -> int:
    """Return the wall clock, in unix seconds. The API's edge is the one place that reads it."""
    return int(time.time())


NowDep = Annotated[int, Depends(now_utc)]


def session_of(services: ServicesDep) -> Iterator[Session]:
    """Give a reading session of the projection for one request."""
    with services.projection.session() as session:
        yield session


SessionDep = Annotated[Session, Depends(session_of)]


def signed_in(
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    request: Request,
    now: NowDep,
) -> Principal:
    """Return who asks, by the token; raises TokenMissing, TokenMalformed, TokenExpired."""
    if credentials is None:
        if "authorization" in request.headers:
            raise TokenMalformed(reason="not `Bearer` and a token")
        raise TokenMissing()
    token = services.sign_in.tokens.read(credentials.credentials, now)
    return Principal(token.account, services.roles.role_of(token.account))


class RoleCheck:
    """A route's right: the roles that may use it. The test of the routes finds these."""

    def __init__(self, roles: tuple[Role, ...]) -> None:
        self.roles = roles

    async def __call__(self, principal: Annotated[Principal, Depends(signed_in)]) -> Principal:
        """Return who asks; raises RoleForbidden."""
        if principal.role not in self.roles:
            raise RoleForbidden(role=principal.role.value, needed=" ".join(role.value for role in self.roles))
        return principal


def require(*roles: Role) -> Any:
    """Return the dependency that lets only these roles in, and gives the route its Principal."""
    return Depends(RoleCheck(roles))


PublicRoute = Callable[..., Any]
