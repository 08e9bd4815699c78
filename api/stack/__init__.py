"""The stack: node, exchange and API as processes over one data directory, started and kept running."""
