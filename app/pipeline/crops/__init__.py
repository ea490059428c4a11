"""Canonical crops: cut out of a picture, straightened, compared with what was read in them.

Imports `qrcode` and `imaging` only.
"""
