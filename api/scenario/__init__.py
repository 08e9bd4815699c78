"""Scenarios: a market written on one page, run through the real system."""
