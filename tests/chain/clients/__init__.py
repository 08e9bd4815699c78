"""Clients that must work with the node unmodified: web3.py, eth-account, brownie, cast and viem."""
