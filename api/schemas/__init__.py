"""What requests say and answers show. `acts` is what may be asked of the chain, `records` what the tables tell."""
