"""The symbologies that a request may name. Codes of the QR family are restored, all others only read."""

from typing import Final

QR_FAMILY: Final = frozenset({"QRCode", "MicroQRCode", "RMQRCode"})
"""What the service is for."""
SMALL: Final = frozenset({"MicroQRCode", "RMQRCode"})
"""Those with a single finder pattern."""
MATRIX: Final = QR_FAMILY | {"Aztec", "DataMatrix", "MaxiCode", "PDF417"}
"""Codes of two dimensions, PDF417 of stacked rows among them."""
LINEAR: Final = frozenset({
    "Codabar", "Code39", "Code93", "Code128", "DataBar", "DataBarExp", "DataBarLtd", "DXFilmEdge", "EAN8", "EAN13",
    "ITF", "UPCA", "UPCE",
})  # fmt: skip
"""Bar codes."""
GROUPS: Final = {"qr": QR_FAMILY, "matrix": MATRIX, "linear": LINEAR, "all": MATRIX | LINEAR}
"""What stands for several symbologies."""
_BY_NAME: Final = {name.lower(): frozenset({name}) for name in MATRIX | LINEAR} | GROUPS
NAMES: Final = (*GROUPS, *sorted(MATRIX | LINEAR))
"""Every word that `parse` knows."""


def parse(text: str) -> frozenset[str]:
    """The symbologies that words between commas name, whatever their case, dashes, underscores and spaces.

    Raises ValueError where one is not known.
    """
    found: frozenset[str] = frozenset()
    for word in text.split(","):
        plain = word.lower().translate({ord(each): None for each in " -_"})
        if plain not in _BY_NAME:
            raise ValueError(f"must be words of these, with commas between them: {', '.join(NAMES)}")
        found |= _BY_NAME[plain]
    return found
