"""Measures what is served: decode rates, quality, latency, false reads and calibration."""
