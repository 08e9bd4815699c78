"""The command line's words for what a node admits and keeps: mining, deployers, quota, operators, states."""

from __future__ import annotations

import argparse
from typing import Final

from chain.node.errors import InvalidParams
from chain.node.formats import read_address
from chain.node.modes import Mining
from chain.node.node import Deployers
from chain.node.quota import DEFAULT_QUOTA, QuotaRule

DEFAULT_KEPT_STATES: Final = 10_000
_EVERYBODY, _NO_QUOTA, _ALL = "everybody", "off", "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser."""
    parser.add_argument(
        "--mine",
        type=_mining,
        default=Mining(),
        metavar="MODE",
        help="automine (default): a block as soon as there is a transaction; interval:SECONDS; "
        "manual: when evm_mine asks, with --test-methods only",
    )
    parser.add_argument(
        "--deployers",
        type=_deployers,
        metavar="ADDRESS,...",
        help=f"who may deploy contracts, or {_EVERYBODY}; sealed into the chain, in force from the next "
        "block; default: as the chain has it, everybody in a new one",
    )
    parser.add_argument(
        "--quota",
        type=_quota,
        metavar="GAS_PER_SECOND[:BURST_GAS]",
        help=f"what each sender may ask for, or {_NO_QUOTA}; default: {DEFAULT_QUOTA.gas_per_second}:"
        f"{DEFAULT_QUOTA.burst_gas}, {_NO_QUOTA} with --test-methods",
    )
    parser.add_argument(
        "--operators",
        type=_addresses,
        default=(),
        metavar="ADDRESS,...",
        help="senders without quota, whose transactions never make room for others",
    )
    parser.add_argument(
        "--keep-state",
        type=_kept,
        metavar="BLOCKS",
        help=f"of how many blocks the states stay readable, or {_ALL}; default: {DEFAULT_KEPT_STATES}, "
        f"{_ALL} with --test-methods",
    )


def quota(options: argparse.Namespace) -> QuotaRule | None:
    """The quota that is asked for, or the default; None for none."""
    if options.quota is None:
        return None if options.test_methods else DEFAULT_QUOTA
    return None if options.quota == _NO_QUOTA else options.quota


def keep_states(options: argparse.Namespace) -> int | None:
    """How many blocks' states are kept; None for all."""
    if options.keep_state is None:
        return None if options.test_methods else DEFAULT_KEPT_STATES
    return None if options.keep_state == _ALL else int(options.keep_state)


def _mining(text: str) -> Mining:
    try:
        return Mining.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _addresses(text: str) -> tuple[bytes, ...]:
    try:
        return tuple(read_address(each.strip()) for each in text.split(",") if each.strip())
    except InvalidParams as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _deployers(text: str) -> Deployers:
    return Deployers(None if text == _EVERYBODY else frozenset(_addresses(text)))


def _quota(text: str) -> QuotaRule | str:
    if text == _NO_QUOTA:
        return text
    rate, _, burst = text.partition(":")
    if not rate.isdecimal() or not (burst or "1").isdecimal():
        raise argparse.ArgumentTypeError(f"neither {_NO_QUOTA} nor GAS_PER_SECOND[:BURST_GAS]: {text}")
    rule = QuotaRule(int(rate), int(burst) if burst else 100 * int(rate))
    if not (rule.gas_per_second and rule.burst_gas):
        raise argparse.ArgumentTypeError(f"a quota of nothing: {text}")
    return rule


def _kept(text: str) -> str | int:
    if text == _ALL:
        return text
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"neither {_ALL} nor a number of blocks above zero: {text}")
    return int(text)
