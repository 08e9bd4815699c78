"""The audit: chain against projection against engine against evidence, and every difference named."""
