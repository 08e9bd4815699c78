"""Replays: published years of real markets, run through the real system and compared."""
