"""What programs are fed with: numbers at the edges, addresses, and inputs of the precompiled contracts."""

from __future__ import annotations

from hashlib import sha256
from random import Random
from typing import Final

from coincurve import PrivateKey

from tests.chain.differential.sending import ADDRESSES, KEYS

WORD: Final = 2**256
EDGES: Final = (
    0, 1, 2, 3, 31, 32, 33, 255, 256, 257, 2**16 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, 2**64, 2**128 - 1,
    2**128, 2**160 - 1, 2**160, 2**248, 2**255 - 1, 2**255, 2**255 + 1, WORD - 2, WORD - 1,
)  # fmt: skip
PRECOMPILES: Final = tuple(range(1, 11))
NOBODY: Final = tuple(bytes((0xD0 + n,)) * 20 for n in range(4))

_BN_PRIME: Final = 21888242871839275222246405745257275088696311157297823662689037894645226208583
_BN_ORDER: Final = 21888242871839275222246405745257275088548364400416034343698204186575808495617
_BN_G2: Final = (
    11559732032986387107991004021392285783925812861821192530917403151452391805634,
    10857046999023057135944570762232829481370756359578518086990519993285655852781,
    4082367875863433681332203403145435568316851327593401208105741076214120093531,
    8495653923123431417604973247489272438418190587263600148770280649306958101930,
)
# The proof of EIP-4844's own test: a point at infinity commits to the polynomial zero.
_INFINITY: Final = b"\xc0" + bytes(47)
_BLS_ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001


def word(rng: Random) -> int:
    """A number of 256 bits: often small or at an edge."""
    kind = rng.randrange(10)
    if kind < 4:
        return rng.randrange(40)
    if kind < 7:
        return rng.choice(EDGES)
    if kind < 8:
        return int.from_bytes(rng.choice(ADDRESSES), "big")
    return rng.getrandbits(rng.choice((8, 16, 64, 160, 256)))


def noise(rng: Random, longest: int) -> bytes:
    """Bytes: zeros, text-like or random, up to `longest` of them."""
    size = rng.randrange(longest + 1)
    kind = rng.randrange(4)
    if kind == 0:
        return bytes(size)
    if kind == 1:
        return bytes(rng.choice((0, 0, 0, 1, 255)) for _ in range(size))
    return rng.randbytes(size)


def precompile_input(rng: Random, number: int) -> bytes:
    """An input of precompile `number`, 1 to 10: mostly well formed, then cut, extended or spoilt."""
    data = _MAKERS[number](rng)
    kind = rng.randrange(8)
    if kind == 0:
        return data[: rng.randrange(len(data) + 1)]
    if kind == 1:
        return data + noise(rng, 64)
    if kind == 2 and data:
        place = rng.randrange(len(data))
        return data[:place] + bytes((data[place] ^ (1 << rng.randrange(8)),)) + data[place + 1 :]
    return data


def _recover(rng: Random) -> bytes:
    message = rng.randbytes(32)
    signature = PrivateKey(rng.choice(KEYS)).sign_recoverable(message, hasher=None)
    v = rng.choice((27 + signature[64],) * 6 + (26, 29, 0, WORD - 1))
    return message + v.to_bytes(32, "big") + signature[:64]


def _modexp(rng: Random) -> bytes:
    sizes = [rng.choice((0, 1, 2, 8, 31, 32, 33, 64)) for _ in range(3)]
    values = b"".join(rng.randbytes(size) for size in sizes)
    if rng.randrange(20) == 0:
        sizes[rng.randrange(3)] = rng.choice((1_025, 2**32, 2**64, WORD - 1))
    return b"".join(size.to_bytes(32, "big") for size in sizes) + values


def _bn_point(rng: Random) -> bytes:
    kind = rng.randrange(6)
    if kind == 0:
        return bytes(64)
    if kind == 1:
        return (_BN_PRIME + rng.randrange(2)).to_bytes(32, "big") + rng.randbytes(32)
    x, y = _multiple(rng.randrange(1, 12))
    if kind == 2:
        y = _BN_PRIME - y
    return x.to_bytes(32, "big") + y.to_bytes(32, "big")


def _multiple(times: int) -> tuple[int, int]:
    """`times` the generator (1, 2) of the curve, by the book."""
    x, y = 1, 2
    for _ in range(times - 1):
        if (x, y) == (1, 2):
            slope = 3 * x * x * pow(2 * y, -1, _BN_PRIME)
        else:
            slope = (y - 2) * pow(x - 1, -1, _BN_PRIME)
        next_x = (slope * slope - x - 1) % _BN_PRIME
        x, y = next_x, (slope * (1 - next_x) - 2) % _BN_PRIME
    return x, y


def _bn_add(rng: Random) -> bytes:
    return _bn_point(rng) + _bn_point(rng)


def _bn_mul(rng: Random) -> bytes:
    scalar = rng.choice((0, 1, 2, 9, _BN_ORDER - 1, _BN_ORDER, WORD - 1, rng.getrandbits(256)))
    return _bn_point(rng) + scalar.to_bytes(32, "big")


def _bn_pairing(rng: Random) -> bytes:
    """Nothing, one pair, or a pair and its inverse: the product is then one. Dear to compute, so few."""
    kind = rng.randrange(6)
    g2 = b"".join(part.to_bytes(32, "big") for part in _BN_G2)
    x, y = 1, 2
    first = x.to_bytes(32, "big") + y.to_bytes(32, "big")
    if kind < 3:
        return b""
    if kind == 3:
        return first + rng.choice((bytes(128), rng.randbytes(128)))
    if kind == 4:
        return bytes(64) + g2
    return first + g2 + x.to_bytes(32, "big") + (_BN_PRIME - y).to_bytes(32, "big") + g2


def _blake2f(rng: Random) -> bytes:
    rounds = rng.choice((0, 1, 12, 40)).to_bytes(4, "big")
    return rounds + rng.randbytes(64 + 128 + 16) + bytes((rng.choice((0, 1, 1, 2)),))


def _point_evaluation(rng: Random) -> bytes:
    versioned = b"\x01" + sha256(_INFINITY).digest()[1:]
    z = rng.choice((0, 1, _BLS_ORDER - 1, _BLS_ORDER, rng.randrange(_BLS_ORDER)))
    y = rng.choice((0, 0, 0, 1))
    return versioned + z.to_bytes(32, "big") + y.to_bytes(32, "big") + _INFINITY + _INFINITY


_MAKERS: Final = {
    1: _recover,
    2: lambda rng: noise(rng, 200),
    3: lambda rng: noise(rng, 200),
    4: lambda rng: noise(rng, 400),
    5: _modexp,
    6: _bn_add,
    7: _bn_mul,
    8: _bn_pairing,
    9: _blake2f,
    10: _point_evaluation,
}
