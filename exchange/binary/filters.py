"""What passes between a member and the sequencer, in plain Python.

    screen       which of a member's records go on, and what the gateway itself answers to the others
    answer       what a member sees of the reports of its own run
    for_others   what every member that is connected hears of a batch

`_native.pyx` does the same, byte for byte; this is the text to read, and runs where nothing was compiled.
"""

from __future__ import annotations

import struct
from typing import Final

from exchange.core.codes import CommandKind, Reject, ReportKind, TermsFault
from exchange.core.records import COMMAND, COMMAND_BYTES, REPORT_BYTES, Command, Report
from exchange.core.reference.layout import read
from exchange.core.reference.state import Rejected

HEARTBEAT: Final = 0
"""The kind of a record that asks for nothing, and of its answer."""

Refused = tuple[int, bytes]
"""How many records that go on stand before it, and the report that answers it."""

_TAKEN: Final = frozenset(range(CommandKind.TERMS, CommandKind.MASS_CANCEL + 1))
_TOLD: Final = frozenset(
    (
        *range(ReportKind.ACCEPTED, ReportKind.REPLENISHED + 1),
        *range(ReportKind.CREDITED, ReportKind.KILL_SET + 1),
    )
) | {ReportKind.REDUCED}
"""Kinds that a member hears of whoever caused them: of its orders, its money, its kill switch."""

_PUBLIC: Final = frozenset(range(ReportKind.LISTED, ReportKind.UNCROSSED + 1))
"""Kinds that say something of an instrument to everybody."""

_PARTIES: Final = struct.Struct("<II")


def screen(run: bytes | bytearray | memoryview, participant: int, now_us: int) -> tuple[bytes, list[Refused]]:
    """Take out of a run what must not reach the sequencer, and stamp the rest with the time.

    Parameters
    ----------
    run :
        What the client sent: whole records. Its last one is TERMS only if nothing more will come.
    participant :
        Whose session it is. Filled in where a record has 0; any other one is refused.
    now_us :
        The time to put into every record, whatever the client put there.

    Returns
    -------
    The records that go on, and the answers to those that do not, in order. What goes on is well formed, and
    every TERMS in it stands directly before a NEW: terms left staged would fall on the next member's order.

    Raises
    ------
    ValueError :
        These are no whole records.
    """
    if len(run) % COMMAND_BYTES:
        raise ValueError(f"{len(run)} bytes are no whole records")
    commands = [_prepared(each, participant, now_us) for each in COMMAND.iter_unpack(run)]
    rejects = [_look(command, participant) for command in commands]
    for at, command in enumerate(commands):
        if command.kind == CommandKind.TERMS and not rejects[at]:
            followed = at + 1 < len(commands) and commands[at + 1].kind == CommandKind.NEW
            if not followed or rejects[at + 1]:
                rejects[at] = Rejected(Reject.TERMS_MISMATCH, TermsFault.NOT_TAKEN)
    clean: list[bytes] = []
    refused: list[Refused] = []
    for command, rejected in zip(commands, rejects, strict=True):
        if rejected is None:
            clean.append(COMMAND.pack(*command))
        else:
            refused.append((len(clean), _refusal(command, rejected)))
    return b"".join(clean), refused


def _prepared(fields: tuple[object, ...], participant: int, now_us: int) -> Command:
    command = Command._make(fields)._replace(at_us=now_us)
    names_one = command.kind in _TAKEN and command.kind != CommandKind.TERMS
    return command._replace(participant=participant) if names_one and not command.participant else command


def _look(command: Command, participant: int) -> Rejected | None:
    """What is wrong with a record, in the core's order: kind, layout, participant."""
    if command.kind not in _TAKEN:
        return Rejected(Reject.UNKNOWN_KIND, command.kind)
    try:
        read(COMMAND.pack(*command))
    except Rejected as rejected:
        return rejected
    if command.kind != CommandKind.TERMS and command.participant != participant:
        return Rejected(Reject.UNKNOWN_PARTICIPANT, command.participant, participant)
    return None


def _refusal(command: Command, rejected: Rejected) -> bytes:
    if command.kind == HEARTBEAT:
        return Report(HEARTBEAT, id=command.id, at_us=command.at_us).pack()
    return Report(
        ReportKind.REJECTED,
        code=rejected.code,
        side=command.side,
        instrument=command.instrument,
        type=command.kind,
        id=command.id,
        participant=command.participant,
        at_us=command.at_us,
        a=rejected.a,
        b=rejected.b & 2**64 - 1,
    ).pack()


def answer(reports: bytes, participant: int, refused: list[Refused]) -> bytes:
    """Return what a member sees of the reports of its own run, with the gateway's answers at their places.

    What the run did to others (whose orders expired, were triggered or replenished) is theirs alone; of a
    trade a member sees its own half.
    """
    seen: list[bytes] = []
    waiting = list(reversed(refused))
    first = _sequence(reports, 0) if reports else 0
    for at in range(0, len(reports), REPORT_BYTES):
        while waiting and _sequence(reports, at) - first >= waiting[-1][0]:
            seen.append(waiting.pop()[1])
        report = reports[at : at + REPORT_BYTES]
        taker, maker = _PARTIES.unpack_from(report, 80)
        is_trade = report[0] == ReportKind.TRADE
        if (
            taker == participant
            or report[0] == ReportKind.TERMS_STAGED
            or (is_trade and maker == participant)
        ):
            seen.append(_half(report, participant))
    seen.extend(record for _, record in reversed(waiting))
    return b"".join(seen)


def _sequence(reports: bytes, at: int) -> int:
    return int.from_bytes(reports[at + 8 : at + 16], "little")


def _half(report: bytes, participant: int) -> bytes:
    """Of a trade: not who the other one was, what he paid, and what he has left."""
    if report[0] != ReportKind.TRADE:
        return report
    trade = Report.unpack(report)
    if trade.participant == trade.other:
        return report
    if trade.participant == participant:
        return trade._replace(other_id=bytes(16), other=0, left=0, b=0).pack()
    return trade._replace(id=bytes(16), participant=0, a=0).pack()


def for_others(reports: bytes, participants: tuple[int, ...]) -> dict[int, bytes]:
    """Return what each of these participants hears of a batch; those who hear nothing are not in it.

    Of its orders, money and kill switch, and what is public of instruments. Rejections and repetitions are
    answers, and go to whoever asked.
    """
    told: dict[int, list[bytes]] = {participant: [] for participant in participants if participant}
    for at in range(0, len(reports), REPORT_BYTES):
        report = reports[at : at + REPORT_BYTES]
        if report[0] in _PUBLIC:
            for heard in told.values():
                heard.append(report)
        elif report[0] in _TOLD:
            taker, maker = _PARTIES.unpack_from(report, 80)
            parties = (taker, maker) if report[0] == ReportKind.TRADE else (taker,)
            for party in dict.fromkeys(parties):
                if party in told:
                    told[party].append(_half(report, party))
    return {participant: b"".join(heard) for participant, heard in told.items() if heard}
