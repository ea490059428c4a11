"""Measures the served ladder: decode rates, latency, false reads and the routing threshold.

Each command runs as ``python -m training.measure.NAME``. Modules here use the service's pipeline and `training.data`.
"""
