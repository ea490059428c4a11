"""Reads codes of other symbologies than the QR family with zxing-cpp: as they are, and in the variants of a picture."""

from dataclasses import replace
from typing import Final

import numpy as np
import zxingcpp

from app.pipeline.engines.symbol import Symbol
from app.pipeline.engines.variants import VARIANTS, Variant
from app.pipeline.engines.zxing import LONGEST_SIDE, ZXing, ZXingOptions, corners_of
from app.pipeline.imaging import GreyImage
from app.pipeline.symbologies import LINEAR, MATRIX, QR_FAMILY

_FORMATS: Final = {name: getattr(zxingcpp, name) for name in (MATRIX | LINEAR) - QR_FAMILY} | {
    "Code39": zxingcpp.Code39Std
}
"""Named as in `app.pipeline.symbologies`, except Code 39, which is read without full ASCII: no symbol states whether
its pairs mean that, and zxing-cpp guesses N! of N/A and the a of a HIBC label's +A
(findings/zxing-shortens-code-39-with-a-slash.sh)."""
UNASKED: Final = (MATRIX | LINEAR) - QR_FAMILY - {"Codabar", "DXFilmEdge"}
"""Symbologies of which a code is named unasked. In 760 pictures of other things (`training.measure.codeless`) and 130
photographs none of them was read that was not there; the others have the weakest checks and are rare."""


class OtherCodes:
    """Reads codes of ``symbologies``, of which those of the QR family are left out.

    Reads nothing in pictures longer than `LONGEST_SIDE`.
    """

    name = ZXing.name

    def __init__(self, symbologies: frozenset[str], options: ZXingOptions | None = None) -> None:
        wanted = [_FORMATS[name] for name in sorted(symbologies - QR_FAMILY)]
        self._formats = zxingcpp.BarcodeFormats(wanted)
        self._options = options or ZXingOptions()

    def read(self, image: GreyImage) -> list[Symbol]:
        if image.size == 0 or max(image.shape) > LONGEST_SIDE or not len(self._formats):
            return []
        codes = zxingcpp.read_barcodes(
            np.ascontiguousarray(image),
            formats=self._formats,
            try_downscale=self._options.try_downscale,
            text_mode=zxingcpp.TextMode.Plain,
            binarizer=self._options.binarizer,
        )
        return [_symbol(code) for code in codes]


def variants_of(symbologies: frozenset[str]) -> list[Variant]:
    """The variants of a picture in which codes of these symbologies are worth a look."""
    return [
        replace(variant, engine=OtherCodes(symbologies, variant.engine.options))
        for variant in VARIANTS
        if isinstance(variant.engine, ZXing)
    ]


def _symbol(code: zxingcpp.Barcode) -> Symbol:
    return Symbol(
        payload=code.bytes,
        text=code.text,
        content_type=code.content_type.name,
        symbology=_name(code),
        version=None,
        ec_level=code.ec_level or None,
        engine=ZXing.name,
        corners=corners_of(code),
        identifier=code.symbology_identifier,
    )


def _name(code: zxingcpp.Barcode) -> str:
    """The symbology as `app.pipeline.symbologies` calls it; zxing-cpp distinguishes some forms of one, such as stacked
    ones."""
    form = code.format.name
    own = (name for name in sorted(_FORMATS, key=len, reverse=True) if form.startswith(name))
    return next(own, code.symbology.name)
