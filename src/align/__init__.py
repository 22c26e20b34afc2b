"""Align: hours worked anywhere arrive here exactly once, are approved, locked and invoiced."""

__version__ = "0.1.0"
