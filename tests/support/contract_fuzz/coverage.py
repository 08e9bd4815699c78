"""What the run reached: which function, by whom, with what outcome."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.support.contract_fuzz.stage import OFFICES, OTHERS
from tests.support.contract_model.interface import CONTRACTS, Function, interface
from tests.support.contract_model.machine import Address

ROLES = (*OFFICES, *OTHERS, "wallet")

# Why a function has no refusal of its own, or no success. Every other one must show both.
NEVER_REFUSED = {
    "Clearing.requestExit/0": "anybody may ask at any time; asked again it does nothing",
}
NEVER_DONE = {
    "Clearing.onERC1155BatchReceived/5": "one deposit, one unit, one id: batches are always refused",
}


# Why nobody ever sees these errors, although an interface lists them.
NEVER_SEEN = {
    "AccessManagedRequiredDelay": "listed by OpenZeppelin's interface, used by none of its code",
    "AccessManagerInvalidInitialAdmin": "of the constructor",
    "AccessManagerUnauthorizedConsume": "takes a contract that says it is checking a caller when it is not",
    "ERC1155InvalidApprover": "takes a call from address zero",
    "ERC1363ApproveFailed": "takes a token that answers false; ours refuses or answers true",
    "ERC1363TransferFailed": "as above",
    "ERC1363TransferFromFailed": "as above",
    "ERC20InvalidSender": "takes an approval by address zero",
    "InsufficientBalance": "the manager passes on the ether that it was sent with the call",
    "InvalidShortString": "of the constructor",
    "SafeCastOverflowedUintToInt": "a deposit is below 2^63: so are all tonnes of a unit, and all cash",
    "SafeERC20FailedOperation": "takes a token that answers false",
    "StringTooLong": "of the constructor",
}


class Coverage:
    """Counts by function, role and outcome, calls between contracts included."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self._callers: Counter[tuple[str, str]] = Counter()
        self._pairs: list[tuple[Function, str]] = [
            (function, role) for function in all_functions() for role in ROLES
        ]

    def next_pair(self) -> tuple[Function | None, str]:
        """A function and a role that never called it; the same pair comes again after all the others."""
        for _ in range(len(self._pairs)):
            function, role = pair = self._pairs.pop(0)
            if not self._reached(function, role):
                self._pairs.append(pair)
                return pair
        return None, ""

    def _reached(self, function: Function, role: str) -> bool:
        return bool(self._callers[function.title, role])

    def listener(self, names: dict[Address, str]) -> Any:
        """Return what a model tells its calls to."""
        counts, callers = self.counts, self._callers

        def heard(sender: Address, function: Function, outcome: str) -> None:
            role = names.get(sender, "other")
            counts[function.title, role, outcome] += 1
            callers[function.title, role] += 1

        return heard

    def missing(self) -> list[str]:
        """Name every function that was never done, or never refused in its own words."""
        done = {title for title, _, outcome in self.counts if outcome == "done"}
        refused = {title for title, _, outcome in self.counts if outcome not in ("done", "(no word)")}
        found = []
        for function in all_functions():
            title = function.title
            if title not in done and title not in NEVER_DONE:
                found.append(f"{title} was never done")
            if function.changes_state and title not in refused and title not in NEVER_REFUSED:
                found.append(f"{title} was never refused in words")
        return found

    def never_called(self) -> list[str]:
        """Name each function and each role that never called it."""
        return [
            f"{function.title} was never called by {role}"
            for function in all_functions()
            for role in ROLES
            if not self._reached(function, role)
        ]

    def errors_unseen(self) -> list[str]:
        """Name the errors that nobody was refused with, though somebody can be."""
        seen = {outcome for _, _, outcome in self.counts}
        return sorted(all_errors() - seen - set(NEVER_SEEN))

    def table(self) -> dict[str, dict[str, dict[str, int]]]:
        """Return the counts by function, outcome and role."""
        rows: dict[str, dict[str, dict[str, int]]] = {}
        for (title, role, outcome), count in sorted(self.counts.items()):
            rows.setdefault(title, {}).setdefault(outcome, {})[role] = count
        return rows


def all_functions() -> list[Function]:
    """Every public function of every contract, by its interface."""
    return [function for name in CONTRACTS for function in interface(name).functions.values()]


def all_errors() -> set[str]:
    """Every error that an interface lists."""
    return {error for name in CONTRACTS for error in interface(name).errors}
