"""What a client asks of a trace: geth's and the specification's TraceConfig."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from chain.node.errors import InvalidParams, ServerError
from chain.node.formats import read_bool, read_int, read_object
from chain.node.tracing.structlogs import StructLogOptions

TRACERS = ("callTracer", "prestateTracer")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3_600.0}


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """A tracer's name, empty for struct logs, with its settings; `seconds` is None for the node's own cap."""

    tracer: str
    struct: StructLogOptions
    top: bool = False
    logs: bool = False
    diff: bool = False
    seconds: float | None = None


def read_options(value: Any) -> TraceOptions:
    """The options of a request; None for all defaults.

    Raises
    ------
    InvalidParams :
        If they make no sense.
    ServerError :
        If they name a tracer that is not there.
    """
    fields = read_object({} if value is None else value, "trace options")
    name = fields.get("tracer") or ""
    if not isinstance(name, str):
        raise InvalidParams("tracer: expected a name")
    if name and name not in TRACERS:
        raise ServerError(
            f"tracer not supported: {name[:60]}; there are {', '.join(TRACERS)} and struct logs"
        )
    settings = read_object(fields.get("tracerConfig") or {}, "tracerConfig")
    memory = _flag(fields, "enableMemory", not _flag(fields, "disableMemory", True))
    struct = StructLogOptions(
        memory=memory,
        stack=not _flag(fields, "disableStack"),
        storage=not _flag(fields, "disableStorage"),
        return_data=_flag(fields, "enableReturnData"),
        limit=read_int(fields.get("limit") or 0, "limit"),
    )
    return TraceOptions(
        tracer=name,
        struct=struct,
        top=_flag(settings, "onlyTopCall"),
        logs=_flag(settings, "withLog"),
        diff=_flag(settings, "diffMode"),
        seconds=_seconds(fields.get("timeout")),
    )


def _flag(fields: Any, name: str, default: bool = False) -> bool:
    value = fields.get(name)
    return default if value is None else read_bool(value, name)


def _seconds(value: Any) -> float | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > 40 or not _DURATION.fullmatch(value):
        raise InvalidParams("timeout: expected a duration such as 5s, 300ms or 2m")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(value))
