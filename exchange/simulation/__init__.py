"""The whole exchange in one process, with clock, disk, network and chain replaced: a seed drives all of it.

    loop     time that is a number
    disk     a disk that is killed, loses its power, fills and fails
    chain    Clearing, and a wire to it that loses, delays and repeats
    actors   members and the operator
    world    one seed: lives of the process, one after the other
    audit    what must hold, from a reader of the journal that shares nothing with the product's

The product's sequencer, journal, venue, desk, snapshots and start run in it unchanged.
"""

from __future__ import annotations

from exchange.simulation.world import Outcome, run_seed

__all__ = ["Outcome", "run_seed"]
