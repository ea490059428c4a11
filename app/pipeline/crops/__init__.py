"""Canonical crops: cut out of a picture, straightened, and compared with what was read in them.

May import `qrcode` and `imaging`.
"""
