"""Fuzzing: mutated requests, images and symbols against a running service, and coverage-guided targets."""
