"""A small market to look at: everyone once, and one of everything, done through the real system.

Nothing is written beside it: accounts, allocations, evidence, statements, deposits and orders go the way that
they go in earnest. Every act has a fixed id, so that a seeding that was broken off is completed by the next
start and nothing is done twice.
"""

from api.seed.market import seed_market
from api.seed.members import MEMBERS, Member, members_of

__all__ = ["MEMBERS", "Member", "members_of", "seed_market"]
