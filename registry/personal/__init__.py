"""People: green acts become grams (微克拉, micro-carat: 1 = 1 kg CO2e), and grams a claim under one root.

A provider signs batches of acts (`acts`), methods turn acts into grams (`methods`), an epoch adds up what
everyone earned (`points`) and commits to it with a Merkle-sum tree (`merkle_sum`); `intake` keeps the
batches. No personal data goes on chain: only the root, the total, and what a person claims.
"""
