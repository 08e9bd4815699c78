"""Compliance cycles (履约周期): a period from allocation to default, for many firms, through the real system."""
