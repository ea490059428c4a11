"""Stock decoders (zxing-cpp and ZBar) behind one protocol, and the picture variants that they are shown.

Imports `imaging` only.
"""
