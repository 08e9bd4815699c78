"""LOBSTER days of an order book through the engine core, its book compared with the published one.

    file     what the files say, line by line
    replay   what each message makes the engine do
    market   the engine, and which orders stand in it
    compare  the engine's book against the published one
    report   all that was found, as one JSON object

Words used here
    in view     at or better than the worst published level of the row before; a whole side where that row
                had room left.
    named       an order whose submission is in the file.
    standing    quantity whose submission is not: from before the file, or from out of view.
    unwatched   a named order that was out of view since: it may have changed, or gone, without a message.
    key         the price so that smaller is better: the price of asks, minus the price of bids.
"""
