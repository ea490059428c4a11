"""Micro QR (ISO/IEC 18004:2015) and rMQR (ISO/IEC 23941:2022): what differs from QR codes of versions 1 to 40.

May import the rest of `qrcode`.
"""
