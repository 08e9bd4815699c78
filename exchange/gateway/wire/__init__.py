"""Between JSON and the core's records."""
