"""The projection: the chain's events as SQL tables, to be dropped and rebuilt at any time.

`tables` says what is kept, `apply` what each event changes, `store` keeps the place up to which the chain was
read, `digest` compares two projections and names what differs, `totals` adds up.
"""
