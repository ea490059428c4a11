"""A training run: its configuration, loop, state, progress, sample sheets and provenance.

Modules here know losses and batches but no recipe; recipes are in `training.recipes`.
"""
