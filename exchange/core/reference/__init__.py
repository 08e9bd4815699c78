"""The core in plain Python: the text to read. Slow, and right by being short; the compiled core follows it.

engine       apply: one command after the other
layout       what a record of each kind may hold
state        everything that the engine knows
accounts     participants, credits, debits, the kill switch
instruments  listing, rules, reference price, phase
orders       new, cancel, amend, mass cancel
matching     trades, self-trades, icebergs
book         price and time priority
risk         what orders set aside, what trades move
auction      one price for gathered orders
triggers     what time and prices set off: expiry, day end, stops
invariants   what always holds
snapshot     the canonical bytes of the state
"""
