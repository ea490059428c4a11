"""How often a guess of the charset gives the text: short strings in many languages, and other detectors.

What comes in here is about bytes without a charset; what the guess was trained on is `training.charsets`.
"""
