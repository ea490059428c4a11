"""What a payload means: text, charset, content type, GS1 elements, and messages of several symbols.

May import `qrcode`. Knows nothing of pictures.
"""
