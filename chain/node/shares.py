"""How much of the pool each sender holds, and who holds the most."""

from __future__ import annotations


class Shares:
    """Slots by sender, grouped by how many, so that the largest holder is found without a search.

    Whoever is `exempt` is counted, but is never the largest.
    """

    def __init__(self, exempt: frozenset[bytes] = frozenset()) -> None:
        self._exempt = exempt
        self._held: dict[bytes, int] = {}
        self._by_size: dict[int, dict[bytes, None]] = {}
        self.total = 0

    def __len__(self) -> int:
        return len(self._held)

    def of(self, sender: bytes) -> int:
        """The slots of one sender."""
        return self._held.get(sender, 0)

    def change(self, sender: bytes, slots: int) -> None:
        """Count `slots` more, or fewer."""
        old = self._held.get(sender, 0)
        new = old + slots
        assert new >= 0, "a share is never below nothing"
        self.total += slots
        if new:
            self._held[sender] = new
        else:
            self._held.pop(sender, None)
        if sender in self._exempt:
            return
        if old:
            group = self._by_size[old]
            del group[sender]
            if not group:
                del self._by_size[old]
        if new:
            self._by_size.setdefault(new, {})[sender] = None

    def largest(self) -> bytes | None:
        """Whoever holds the most, the one who came to it first among equals; None if nobody holds any."""
        if not self._by_size:
            return None
        # Sizes that differ add up to the pool's slots at most: there are few of them.
        return next(iter(self._by_size[max(self._by_size)]))

    def clear(self) -> None:
        """Nobody holds anything."""
        self._held.clear()
        self._by_size.clear()
        self.total = 0
