"""Networks of several authorities: engines, keys, genesis and settings, for here or for others."""
