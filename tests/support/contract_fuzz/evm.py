"""The real contracts: their committed bytecode in a real EVM (revm, by pyrevm), without a chain around it."""

from __future__ import annotations

import re
from typing import Any

import pyrevm

from tests.support.contract_fuzz.answer import Answer, Halted, Log
from tests.support.contract_model.machine import Address

GAS = 100_000_000
_NOBODY = "0x" + "00" * 20
_REVERT = re.compile(r"Revert \{ gas_used: \d+, output: 0x([0-9a-f]*) \}")


class Evm:
    """An EVM with accounts that have ether, and a clock."""

    def __init__(self, now: int) -> None:
        # Title case: pyrevm takes an unknown name for the latest fork, silently.
        self._evm = pyrevm.EVM(spec_id="Cancun", gas_limit=2**40)
        self._now = 0
        self._lower: dict[str, Address] = {}
        self.at(now)

    def at(self, now: int) -> None:
        """Set the clock, Unix seconds."""
        if now != self._now:
            self._now = now
            self._evm.set_block_env(pyrevm.BlockEnv(number=1, timestamp=now, gas_limit=2**40))

    def enrich(self, account: Address) -> None:
        self._evm.set_balance(account, 10**24)

    def deploy(self, deployer: Address, code: bytes) -> Address:
        return str(self._evm.deploy(deployer, code)).lower()

    def call(self, caller: Address, to: Address, data: bytes, value: int = 0) -> Answer:
        """Make one transaction's call."""
        evm = self._evm
        try:
            result = evm.message_call(caller, to, data, value or None, GAS)
        except RuntimeError as error:
            return Answer(done=False, data=_revert_data(error))
        finally:
            evm.reset_transient_storage()
        return Answer(done=True, data=result, logs=tuple(self._log(log) for log in evm.result.logs))

    def look(self, to: Address, data: bytes) -> Answer:
        """Make a call that must not change anything."""
        try:
            return Answer(True, self._evm.message_call(_NOBODY, to, data, None, GAS, None, True))
        except RuntimeError as error:
            return Answer(done=False, data=_revert_data(error))

    def _log(self, log: Any) -> Log:
        address = self._lower.get(log.address)
        if address is None:
            address = self._lower[log.address] = log.address.lower()
        topics, data = log.data
        return address, tuple(topics), data


def _revert_data(error: RuntimeError) -> bytes:
    # pyrevm tells a refusal's data in the exception's text only.
    found = _REVERT.search(str(error))
    if found is None:
        raise Halted(str(error)[:300]) from None
    return bytes.fromhex(found.group(1))
