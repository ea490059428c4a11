"""The stock decoders zxing-cpp and ZBar behind one protocol, and the variants of a picture that they see.

May import `payload`, `qrcode`, `quad` and `imaging`.
"""
