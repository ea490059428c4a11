"""Image files: recognised by their first bytes, measured by their header, then decoded to grey pixels.

Imports `imaging` only. Everything here sees bytes from strangers.
"""
