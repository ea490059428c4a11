"""Compares complete systems: published ones and ours, on the same pictures, by the same rules."""
