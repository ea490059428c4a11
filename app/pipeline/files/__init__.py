"""Decodes image files: recognises the format by the first bytes, measures by the header, then decodes to grey pixels.

May import `imaging`. All input here is untrusted.
"""
