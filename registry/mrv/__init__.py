"""Measuring, reporting, verifying (MRV): from activity data to the tonnes that a firm answers for."""
