"""Random calls on the compiled contracts, held against the model: `scripts/fuzz_contracts`."""
