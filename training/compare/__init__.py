"""Compares complete systems, published ones and ours, on the same pictures and by the same rules.

``python -m training.compare`` writes all tables, ``training.compare.evaluate`` those of the ladder's parts, and
``training.compare.interpolate`` mixes two trainings of one network. Modules here may use every other part of training
but `training.release`.
"""
