"""Training data: symbols, degradations, crops, pairs and scenes, generated for every step from a seed.

Modules here take a numpy ``Generator`` and return pictures, or batches for a network's loss. They import nothing from
the rest of the package.
"""
