"""Watching a transaction or a call run, opcode by opcode, within bounds.

`machine` runs and tells, a tracer listens: `structlogs` to every step, `calls` to the tree of calls,
`prestate` to what is touched. `runs` puts the world in order first; `options` reads what a client asks for.
"""
