"""Who asks: sign-in by wallet signature (EIP-4361), short-lived tokens, roles from the ledger."""
