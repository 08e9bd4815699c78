"""Compliance cycles (履约周期): a period from allocation to default, for many firms, on the real system."""
