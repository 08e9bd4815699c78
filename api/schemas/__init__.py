"""What requests say and answers show: `acts` is asked of the chain, `records` is what the tables tell."""
