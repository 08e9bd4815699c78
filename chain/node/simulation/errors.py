"""The refusals that the specification names for eth_simulateV1, each with its code."""

from __future__ import annotations

from chain.node.errors import RpcError


class SimulationTimeout(RpcError):
    """It takes too long."""

    code = -32016


class SimulatedNonceTooLow(RpcError):
    """A call's nonce is used already."""

    code = -38010


class SimulatedNonceTooHigh(RpcError):
    """A call's nonce leaves a gap."""

    code = -38011


class SimulatedFeeTooLow(RpcError):
    """A call's fee is below its block's base fee."""

    code = -38012


class SimulatedGasTooLow(RpcError):
    """A call's gas does not pay its intrinsic gas."""

    code = -38013


class SimulatedFundsTooLow(RpcError):
    """A call's sender has not enough for fee and value."""

    code = -38014


class SimulatedBlockFull(RpcError):
    """The calls of a block want more gas than it has."""

    code = -38015


class SimulatedNumberNotRising(RpcError):
    """A block's number is not above the one before."""

    code = -38020


class SimulatedTimeNotRising(RpcError):
    """A block's time is not after the one before."""

    code = -38021


class SimulatedInitcodeTooLong(RpcError):
    """A creation's init code is too long."""

    code = -38025


class SimulationTooLarge(RpcError):
    """More blocks, calls or gas than this node gives to one request."""

    code = -38026
