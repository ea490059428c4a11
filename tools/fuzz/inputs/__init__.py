"""Generators and mutations of files, symbols and requests. All randomness comes from the generator passed in."""
