"""The records of the binary gateway that are not the core's: the handshake, heartbeats, the last word.

To the server 64 bytes each, to the client 128; the first byte is the kind: docs/spec/09-binary-gateway.md.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from enum import IntEnum, IntFlag
from typing import Final, NamedTuple, Self

from exchange.core.codes import ReportFlag, ReportKind
from exchange.core.records import REPORT_BYTES, Report

MAGIC: Final = b"CARAT"
VERSION: Final = 1
NONCE_BYTES: Final = 32
PROOF_BYTES: Final = 32
ACCOUNT_BYTES: Final = 20

_HELLO: Final = struct.Struct("<B5sHHH20s32s")
_CHALLENGE: Final = struct.Struct("<B5sH8s32s80s")
_PROOF: Final = struct.Struct("<B5sH24s32s")
_WELCOME: Final = struct.Struct("<B5sHIHHQ20sIIIQQII16s32s")
_REFUSED: Final = struct.Struct("<BB94sQ8sQ8s")


class Kind(IntEnum):
    """Records of the gateway itself; all others are the core's."""

    HEARTBEAT = 0
    HELLO = 0xF0
    CHALLENGE = 0xF1
    PROOF = 0xF2
    WELCOME = 0xF3
    REFUSED = 0xFF


class HelloFlag(IntFlag):
    """What a client asks for at the start."""

    CANCEL_ON_DISCONNECT = 1
    """When the connection ends, however it ends, all orders of the member are cancelled."""


class Code(IntEnum):
    """Why the gateway ends a connection. `a` and `b` are the record's two numbers."""

    PROTOCOL = 1
    """Not a record of this handshake, or unknown flags. a: the first byte."""
    VERSION = 2
    """a: the version asked for, b: the one spoken here."""
    PROOF_WRONG = 3
    """This is not the account's key."""
    SESSIONS_FULL = 4
    """a: how many there may be."""
    ACCOUNT_SESSIONS_FULL = 5
    """a: how many an account may have."""
    HANDSHAKE_TIMEOUT = 6
    """a: the milliseconds it may take."""
    IDLE = 7
    """a: the milliseconds that a client may be silent."""
    JOURNAL_UNAVAILABLE = 8
    """The exchange takes nothing more until it is started again; retrying ids then tells what was done."""
    NOT_ADMITTED = 9
    """The exchange takes no further participant."""
    CLOSING = 10
    """The gateway is stopping."""
    INTERNAL = 11
    """A fault of the gateway."""


class Hello(NamedTuple):
    """Who comes. `nonce` is fresh."""

    account: bytes
    flags: int
    nonce: bytes

    def pack(self) -> bytes:
        """Return its 64 bytes."""
        return _HELLO.pack(Kind.HELLO, MAGIC, VERSION, self.flags, 0, self.account, self.nonce)


class NoHello(NamedTuple):
    """Why a first record is no HELLO that is spoken here."""

    code: Code
    a: int = 0
    b: int = 0


def read_hello(record: bytes) -> Hello | NoHello:
    """Read the first 64 bytes of a connection."""
    kind, magic, version, flags, zero, account, nonce = _HELLO.unpack(record)
    if kind != Kind.HELLO or magic != MAGIC or zero:
        return NoHello(Code.PROTOCOL, kind)
    if version != VERSION:
        return NoHello(Code.VERSION, version, VERSION)
    if flags & ~int(HelloFlag.CANCEL_ON_DISCONNECT):
        return NoHello(Code.PROTOCOL, kind)
    return Hello(account, flags, nonce)


def challenge_record(challenge: bytes) -> bytes:
    """Return the server's fresh 32 bytes as a record."""
    return _CHALLENGE.pack(Kind.CHALLENGE, MAGIC, VERSION, bytes(8), challenge, bytes(80))


def proof_record(proof: bytes) -> bytes:
    """Return the client's proof as a record."""
    return _PROOF.pack(Kind.PROOF, MAGIC, VERSION, bytes(24), proof)


def read_proof(record: bytes) -> bytes | None:
    """Return the proof, None when the record is none."""
    kind, magic, version, zeros, proof = _PROOF.unpack(record)
    fits = kind == Kind.PROOF and magic == MAGIC and version == VERSION and not any(zeros)
    return bytes(proof) if fits else None


class Welcome(NamedTuple):
    """What the server says once the client is known. LISTED reports follow, `instruments` of them."""

    participant: int
    instruments: int
    chain_id: int
    clearing: bytes
    in_flight_bytes: int
    idle_ms: int
    heartbeat_ms: int
    next_sequence: int
    now_us: int
    run_bytes: int
    unread_bytes: int
    proof: bytes = bytes(PROOF_BYTES)

    def pack(self) -> bytes:
        """Return its 128 bytes."""
        return _WELCOME.pack(
            *(
                Kind.WELCOME,
                MAGIC,
                VERSION,
                self.participant,
                self.instruments,
                0,
                self.chain_id,
                self.clearing,
            ),
            *(self.in_flight_bytes, self.idle_ms, self.heartbeat_ms, self.next_sequence, self.now_us),
            *(self.run_bytes, self.unread_bytes, bytes(16), self.proof),
        )

    @classmethod
    def unpack(cls, record: bytes) -> Self:
        """Read 128 bytes."""
        _, _, _, participant, instruments, _, *others, _, proof = _WELCOME.unpack(record)
        chain_id, clearing, in_flight, idle_ms, heartbeat_ms, sequence, now_us, run, unread = others
        return cls(
            *(participant, instruments, chain_id, clearing, in_flight, idle_ms, heartbeat_ms),
            *(sequence, now_us, run, unread, proof),
        )


def directory_record(instrument: int, unit: int, tick_fen: int, lot_t: int, quantity_max_t: int) -> bytes:
    """Return the LISTED report that tells a client of an instrument; sequence 0."""
    return Report(
        ReportKind.LISTED,
        flags=ReportFlag.REPEATED,
        instrument=instrument,
        id=unit.to_bytes(16, "little"),
        price=tick_fen,
        quantity=quantity_max_t,
        left=lot_t,
    ).pack()


def refused_record(code: Code, a: int = 0, b: int = 0) -> bytes:
    """Return the server's last word."""
    return _REFUSED.pack(Kind.REFUSED, code, bytes(94), a, bytes(8), b, bytes(8))


def read_refused(record: bytes) -> tuple[int, int, int]:
    """Return code and numbers."""
    _, code, _, a, _, b, _ = _REFUSED.unpack(record)
    return code, a, b


def heartbeat(token: bytes = bytes(16)) -> bytes:
    """Return a client's sign of life; the answer carries the same token."""
    return bytes(16) + token + bytes(32)


SERVER_HEARTBEAT: Final = bytes(REPORT_BYTES)


# --- keys and proofs ---


def member_key(secret: bytes, account: bytes) -> bytes:
    """Return a member's key: HMAC-SHA256 over its account with the gateway's secret. It is stored nowhere.

    Parameters
    ----------
    secret :
        The gateway's 32 bytes (`Keyring.secret`).
    account :
        20 bytes.
    """
    if len(account) != ACCOUNT_BYTES:
        raise ValueError(f"an account has {ACCOUNT_BYTES} bytes, not {len(account)}")
    return hmac.new(secret, b"carat member key" + account, hashlib.sha256).digest()


def client_proof(key: bytes, hello: bytes, challenge: bytes) -> bytes:
    """Return what shows that the client has the key; both arguments are whole records."""
    return hmac.new(key, challenge + b"carat client" + hello, hashlib.sha256).digest()


def server_proof(key: bytes, hello: bytes, challenge: bytes, proof: bytes, welcome: bytes) -> bytes:
    """Return what shows that the server has it. `welcome`: the record, its proof zero, and the directory."""
    return hmac.new(key, challenge + b"carat server" + hello + proof + welcome, hashlib.sha256).digest()
