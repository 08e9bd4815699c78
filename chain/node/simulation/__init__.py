"""eth_simulateV1: blocks that were never built, on top of one that was.

`request` reads what is asked, `chain` puts blocks and calls in order, `world` runs one call.
"""
