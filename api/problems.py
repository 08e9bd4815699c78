"""Every "no" of the API, in one form: RFC 9457 `application/problem+json`.

Routes and the packages below raise typed refusals; the handlers here turn each into a status, by one
table, and let nothing internal out. A refusal that is not in the table is a conflict with the record:
409.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from api.fields import Schema
from chain.refusals import ChainUnreachable, ContractRefusal, Refusal
from chain.rpc import RpcError
from chain.units import UnitId, UnitMalformed

MEDIA_TYPE: Final = "application/problem+json"
_TYPE_PREFIX: Final = "urn:carat:problem:"
_FACT_TEXT_MAX: Final = 300
_FIELD_ERRORS_MAX: Final = 20
_log = logging.getLogger("carat.api")

# By code: the class name, or the Solidity error's name. What is missing is 409.
STATUS_OF: Final[dict[str, int]] = {
    # what was sent cannot be read, or cannot be so whatever the record says
    "AmountOutOfRange": 422,
    "CommandMalformed": 422,
    "CursorMalformed": 422,
    "DisplayOutOfRange": 422,
    "DocumentMalformed": 422,
    "EvidenceMismatch": 422,
    "EvidenceRefused": 422,
    "ExpiryPassed": 422,
    "FeesInvalid": 422,
    "InstrumentInvalid": 422,
    "MeasurementRefused": 422,
    "MessageMalformed": 422,
    "NoReduction": 422,
    "PriceMissing": 422,
    "PriceOutOfRange": 422,
    "QuantityOutOfRange": 422,
    "RequestMalformed": 422,
    "TermsMismatch": 422,
    "TransactionMalformed": 422,
    "TransactionMismatch": 422,
    "UnitMalformed": 422,
    "WrongLot": 422,
    "WrongTick": 422,
    # who asks
    "SignInRefused": 401,
    "TokenExpired": 401,
    "TokenMalformed": 401,
    "TokenMissing": 401,
    "AccessManagedUnauthorized": 403,
    "NotYours": 403,
    "RoleForbidden": 403,
    "VerifierConflicted": 403,
    "VerifierUnaccredited": 403,
    # nothing of that name
    "BinaryGatewayClosed": 404,
    "EpochUnknown": 404,
    "EvidenceMissing": 404,
    "NotFound": 404,
    "OrderUnknown": 404,
    "UnknownAccount": 404,
    "UnknownInstrument": 404,
    "WithdrawalUnknown": 404,
    "BodyTooLarge": 413,
    # a part of the stack must recover first; the same request may be sent again
    "ChainMismatch": 503,
    "ChainUnreachable": 503,
    "DeploymentMissing": 503,
    "ExchangeUnreachable": 503,
    "InvariantBroken": 503,
    "JournalUnavailable": 503,
    "NotSignedIn": 503,  # the API itself, at the exchange
    "ProjectionBehind": 503,
    "ProjectionRefused": 503,
    "SignInBusy": 503,
    "WaitedTooLong": 503,
}

_OF_STATUS: Final[dict[int, tuple[str, str]]] = {
    404: ("PathUnknown", "There is nothing at this path."),
    405: ("MethodNotAllowed", "This path does not take this method."),
    413: ("RequestTooLarge", "The request is larger than this path takes."),
    415: ("MediaTypeUnsupported", "This path does not take this media type."),
    422: ("RequestMalformed", "The request cannot be read."),
}


class FieldError(Schema):
    """One value that does not fit."""

    where: list[str | int]
    what: str
    rule: str


class Problem(Schema):
    """Why the request was refused. Nothing was changed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:carat:problem:ComplianceOffsetCapExceeded",
                    "title": "The offsets offered would pass the period's cap.",
                    "status": 409,
                    "detail": "allowedT=5 requestedT=6",
                    "code": "ComplianceOffsetCapExceeded",
                    "facts": {"allowedT": 5, "requestedT": 6},
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    """The refusal's name: stable, for machines."""
    facts: dict[str, int | str | bool | None] = Field(default_factory=dict)
    """The numbers behind it, by name."""
    errors: list[FieldError] = Field(default_factory=list)
    """For values that do not fit: which and why."""


class NotFound(Refusal):
    """There is nothing of this name here."""


def status_of(refusal: Refusal) -> int:
    """Return the HTTP status of a refusal: by its code, else by its nearest named parent, else 409."""
    if refusal.code in STATUS_OF:
        return STATUS_OF[refusal.code]
    if not isinstance(refusal, ContractRefusal):
        for parent in type(refusal).__mro__:
            if parent.__name__ in STATUS_OF:
                return STATUS_OF[parent.__name__]
    return 409


def problem_of(refusal: Refusal) -> Problem:
    """Return what the client is told of a refusal."""
    facts = dict(_told(name, value) for name, value in refusal.facts.items())
    return Problem(
        type=_TYPE_PREFIX + refusal.code,
        title=refusal.title,
        status=status_of(refusal),
        detail=" ".join(f"{name}={value}" for name, value in facts.items()) or refusal.title,
        code=refusal.code,
        facts=facts,
    )


def add_problem_handlers(app: FastAPI, retry_after_s: int) -> None:
    """Make every error of `app` a problem."""

    def of_refusal(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refusal)
        problem = problem_of(error)
        headers = {}
        if problem.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="carat"'
        if problem.status == 503:
            headers["Retry-After"] = str(retry_after_s)
        return _answer(problem, headers)

    def of_node(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RpcError)
        _log.warning("the node refuses %s: %s", error.method, error.message)
        return of_refusal(request, ChainUnreachable(method=error.method, code=error.code))

    app.add_exception_handler(Refusal, of_refusal)
    app.add_exception_handler(RpcError, of_node)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_fault)


def refusals(
    codes: Mapping[int, str] | None = None, *, public: bool = False
) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route: what it may refuse.

    Parameters
    ----------
    codes :
        By status, the codes that this route can give, as text. 422 and 503 are always there.
    public :
        A public route never answers 401 or 403.
    """
    said = {422: "RequestMalformed: a value does not fit.", 503: "ChainUnreachable: try again later."}
    if not public:
        said |= {401: "TokenMissing, TokenMalformed, TokenExpired.", 403: "RoleForbidden."}
    said |= dict(codes or {})
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": text, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, text in sorted(said.items())
    }


def too_large(bytes_max: int) -> JSONResponse:
    """Return the answer to a request of more than `bytes_max` bytes."""
    return _of_status(413, f"bytes_max={bytes_max}", [])


def _told(name: str, value: Any) -> tuple[str, int | str | bool | None]:
    if name in ("unitId", "unit_id") and isinstance(value, int):
        try:
            return "unit", UnitId.of(value).text
        except UnitMalformed:
            return "unit", str(value)
    if isinstance(value, (bool, int)) or value is None:
        return name, value
    return name, _printable(str(value)[:_FACT_TEXT_MAX])


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _answer(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    content = problem.model_dump(exclude_defaults=True)
    return JSONResponse(content, problem.status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def _of_status(status: int, detail: str, errors: list[FieldError], headers: Any = None) -> JSONResponse:
    code, title = _OF_STATUS.get(status, ("RequestRefused", "The request is refused."))
    problem = Problem(
        type=_TYPE_PREFIX + code, title=title, status=status, detail=detail, code=code, errors=errors
    )
    return _answer(problem, headers)


def _of_validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # The input itself is not repeated: it may be a secret, and it may be long.
    errors = [
        FieldError(
            where=[_printable(part)[:80] if isinstance(part, str) else part for part in each["loc"]],
            what=_printable(str(each["msg"]))[:_FACT_TEXT_MAX],
            rule=str(each["type"]),
        )
        for each in error.errors()[:_FIELD_ERRORS_MAX]
    ]
    detail = f"{len(error.errors())} values do not fit"
    return _of_status(422, detail, errors)


def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    # FastAPI says 400 for a body that is no text; here every unreadable body is 422.
    status = 422 if error.status_code == 400 else error.status_code
    return _of_status(status, f"{request.method} {_printable(request.url.path)[:200]}", [], error.headers)


def _of_fault(request: Request, error: Exception) -> JSONResponse:
    incident = uuid4().hex
    _log.error("incident %s at %s %s", incident, request.method, request.url.path, exc_info=error)
    problem = Problem(
        type=_TYPE_PREFIX + "InternalFault",
        title="The fault is ours; it is recorded.",
        status=500,
        detail=f"incident={incident}",
        code="InternalFault",
    )
    return _answer(problem)
