"""The EVM side of CARAT: the node, the contracts' deployment and typed access to them, and their events.

Imports no sibling package. Without a node of its own it speaks to any EVM JSON-RPC address.
"""
