"""Texts for the core's numbers, and numbers for the texts. Neither ever changes, so both are remembered."""

from __future__ import annotations

from collections.abc import Callable

from exchange.refusals import UnknownInstrument
from exchange.venue import Venue
from exchange.words import account_bytes, account_text, asset_text, unit_value


class Unregistered(Exception):
    """No error: this account has no number yet; it is registered, and the command read again."""

    def __init__(self, account: bytes) -> None:
        self.account = account
        super().__init__(account)


class Names:
    """The names of one venue.

    `accounts` and `units` are what clients wrote before, each spelling by itself, with its number: only what
    is registered or listed is kept, and an account has three spellings. `account_texts` and `unit_texts` are
    how the exchange writes them, by number; None where it was not needed yet.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.accounts: dict[str, int] = {}
        self.units: dict[str, int] = {}
        self.account_texts: list[bytes | None] = [None]
        self.unit_texts: list[bytes | None] = [None]

    def participant(self, text: object, field: str = "account") -> int:
        """Return the number of the account that a client wrote; raises CommandMalformed, Unregistered."""
        number = self.find(text, field)
        if not number:
            raise Unregistered(account_bytes(text, field))
        return number

    def find(self, text: object, field: str = "account") -> int:
        """Return the number of an account, 0 for one that has none; raises CommandMalformed."""
        number = self.accounts.get(text, 0) if isinstance(text, str) else 0
        if not number:
            number = self._venue.participant(account_bytes(text, field))
            if number:
                assert isinstance(text, str)
                self.accounts[text] = number
        return number

    def instrument(self, text: str) -> int:
        """Return the number of the unit that a client wrote; raises UnitMalformed, UnknownInstrument."""
        number = self.units.get(text, 0)
        if not number:
            number = self._venue.instrument(unit_value(text))
            if not number:
                raise UnknownInstrument(unit=text)
            self.units[text] = number
        return number

    def account(self, participant: int) -> str:
        """Write an account."""
        return account_text(self._venue.account(participant))

    def unit(self, instrument: int) -> str:
        """Write an instrument's unit, or "cash" for 0."""
        return asset_text(self._venue.unit(instrument) if instrument else 0)

    def account_ascii(self, participant: int) -> bytes:
        """Write an account as bytes, and remember them."""
        return _remembered(self.account_texts, participant, self.account)

    def unit_ascii(self, instrument: int) -> bytes:
        """Write a unit as bytes, and remember them."""
        return _remembered(self.unit_texts, instrument, self.unit)


def _remembered(texts: list[bytes | None], number: int, write: Callable[[int], str]) -> bytes:
    if number >= len(texts):
        texts.extend([None] * (number + 1 - len(texts)))
    text = texts[number]
    if text is None:
        text = texts[number] = write(number).encode()
    return text
