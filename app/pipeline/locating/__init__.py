"""Finds codes: candidates from several locators, registered to a version and exact corners.

May import `crops`, `engines` and `qrcode`.
"""
