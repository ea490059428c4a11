"""Where codes are: candidates from several locators, registered to a version and exact corners.

Imports `crops`, `engines` and `qrcode`.
"""
