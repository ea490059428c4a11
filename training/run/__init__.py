"""A training run: its configuration, its loop, its state and its progress."""
