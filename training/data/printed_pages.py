"""Pages of text in the fonts that come with Matplotlib: paragraphs, columns and headings.

Pictures are float32 (H, W) in [0, 1], black on white.
"""

from functools import cache
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from numpy.random import Generator
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont

from training.data.degrade import Image

_FAMILIES: Final = ("DejaVuS", "STIXGeneral", "cmr10", "cmss10", "cmtt10", "cmb10")  # beginnings of names of files
_WITHOUT_LETTERS: Final = "Display"  # in names of files
_LETTERS: Final = np.array(list("aaabcdeeeeefghiiklmnnooprrsssttuvwz"))
_DIGITS: Final = np.array(list("0123456789.,-/"))
_HEADING: Final = 1.6  # times the usual spacing of lines


@cache
def font_files() -> tuple[Path, ...]:
    """The files of the fonts that pages are printed in."""
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    return tuple(
        sorted(one for one in folder.iterdir() if one.name.startswith(_FAMILIES) and _WITHOUT_LETTERS not in one.name)
    )


def draw_page(rng: Generator, shape: tuple[int, int], *, spacing: int) -> Image:
    """Text on white paper of ``shape``, (H, W) in pixels, in one to three columns, ``spacing`` pixels apart line from
    line."""
    page = Pictures.new("L", (shape[1], shape[0]), 255)
    draw = ImageDraw.Draw(page)
    file = str(rng.choice([str(one) for one in font_files()]))
    font = ImageFont.truetype(file, max(6, round(spacing * rng.uniform(0.6, 0.9))))
    heading = ImageFont.truetype(file, round(spacing * _HEADING))
    columns = int(rng.choice((1, 1, 1, 2, 3)))
    margin = min(rng.uniform(0, 3) * spacing, 0.25 * shape[1] / columns)
    width = (shape[1] - margin) / columns
    tabular = rng.random() < 0.2
    for column in range(columns):
        left, top = margin + column * width, rng.uniform(0, 2) * spacing
        while top < shape[0]:
            if rng.random() < 0.03:
                draw.text((left, top), _line(rng, heading, width * rng.uniform(0.2, 0.8), tabular=False), 0, heading)
                top += spacing * _HEADING
            ends = rng.random() < 0.12
            reach = (width - margin) * (rng.uniform(0.1, 0.9) if ends else rng.uniform(0.93, 1.0))
            draw.text((left, top), _line(rng, font, reach, tabular=tabular), 0, font)
            top += spacing * (rng.uniform(1, 2) if ends else 1)
    return np.asarray(page, dtype=np.float32) / np.float32(255)


def _line(rng: Generator, font: ImageFont.FreeTypeFont, width: float, *, tabular: bool) -> str:
    """Random words that fill ``width`` pixels; figures far apart if ``tabular``."""
    most = max(1, int(width / max(1.0, font.getlength("e"))))
    words: list[str] = []
    length = 0
    while length < most:
        alphabet = _DIGITS if tabular or rng.random() < 0.05 else _LETTERS
        word = "".join(rng.choice(alphabet, rng.integers(1, 11)))
        words.append(word.capitalize() if rng.random() < 0.1 else word)
        if tabular:
            words.append(" " * int(rng.integers(0, 8)))
        length = sum(map(len, words)) + len(words) - 1
    return " ".join(words)[:most]
