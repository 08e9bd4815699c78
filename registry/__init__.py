"""The registry: what a tonne is, who may get it, who holds it, and what he owes.

Pure rules at the bottom (`merkle`, `allocation`, `mrv`, `offsets`, `compliance`, `personal`), the evidence
store and the projection of the chain's events above them, and `acts`, which words a domain act as a call of a
contract.
"""
