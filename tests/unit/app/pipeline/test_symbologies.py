"""Codes of other symbologies: what names them, what reads them, and what is said of them unasked."""

from math import inf

import cv2
import numpy as np
import pytest
import zxingcpp

from app.pipeline.engines.other_codes import UNASKED, OtherCodes
from app.pipeline.imaging import GreyImage
from app.pipeline.results import Effort, Reason
from app.pipeline.symbologies import GROUPS, LINEAR, MATRIX, QR_FAMILY, parse
from tests.support.bench import Bench, bench, rungs, stages, texts
from tests.support.codes import qr_picture

CONTENT = {
    "EAN13": "5901234123457", "EAN8": "96385074", "UPCA": "036000291452", "UPCE": "01234565", "ITF": "00123456789012",
    "Codabar": "A123456A", "DataBar": "0112345678901231", "DataBarExp": "(01)98898765432106(3202)012345",
    "DataBarLtd": "0112345678901231",
}  # fmt: skip
UNWRITTEN = {"MaxiCode", "DXFilmEdge"}  # zxing-cpp reads them but writes none


def drawn(symbology: str, *, content: str = "", scale: int = 4) -> GreyImage:
    form = getattr(zxingcpp, symbology)
    code = zxingcpp.create_barcode(content or CONTENT.get(symbology, "HELLO123"), form)
    return np.pad(np.array(code.to_image(scale=scale, add_quiet_zones=True)), 20, constant_values=255)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("qr", QR_FAMILY),
        ("matrix", MATRIX),
        ("linear", LINEAR),
        ("all", MATRIX | LINEAR),
        ("DataMatrix", {"DataMatrix"}),
        ("data-matrix, EAN-13,code 128", {"DataMatrix", "EAN13", "Code128"}),
        ("qr,pdf_417", QR_FAMILY | {"PDF417"}),
        ("MICROQRCODE", {"MicroQRCode"}),
    ],
)
def test_words_name_symbologies(text: str, named: set[str]) -> None:
    assert parse(text) == named


@pytest.mark.parametrize("text", ["", ",", "qr,", "barcode", "all;qr", "\u0130tf"])
def test_unknown_words_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="DataMatrix"):
        parse(text)


@pytest.mark.parametrize("symbology", sorted((MATRIX | LINEAR) - QR_FAMILY - UNWRITTEN))
def test_every_symbology_is_read_under_its_name_alone_and_among_all(symbology: str) -> None:
    picture = drawn(symbology)
    for asked in ({symbology}, GROUPS["all"]):
        (symbol,) = OtherCodes(frozenset(asked)).read(picture)
        known = {symbology, "EAN13"} if symbology == "UPCA" else {symbology}
        assert symbol.symbology in known
        assert symbol.corners.area > 100
    assert OtherCodes(GROUPS["all"] - {symbology, "EAN13", "DataBar"}).read(picture) == []


@pytest.mark.parametrize("text", ["N/A", "C/O SMITH", "+A123BJC5D6E71", "AB/C", "100%A", "-04908802", "0CSSBD"])
def test_code_39_is_answered_as_it_stands(text: str) -> None:
    """Without a guess at full ASCII, at pharmaceutical numbers (PZN) or at Code 32."""
    (symbol,) = OtherCodes(parse("all")).read(drawn("Code39Std", content=text))
    assert (symbol.payload, symbol.text, symbol.symbology) == (text.encode(), text, "Code39")


def test_nothing_is_read_that_was_not_asked_for() -> None:
    assert OtherCodes(GROUPS["all"]).read(qr_picture("plain")) == []
    assert OtherCodes(QR_FAMILY).read(drawn("DataMatrix")) == []
    assert OtherCodes(GROUPS["all"]).read(np.zeros((0, 0), np.uint8)) == []
    assert OtherCodes(GROUPS["all"]).read(np.zeros((1, 70_000), np.uint8)) == []


def beside(*pictures: GreyImage) -> GreyImage:
    height = max(picture.shape[0] for picture in pictures)
    return np.hstack([np.pad(one, ((0, height - len(one)), (0, 0)), constant_values=255) for one in pictures])


def empty_bench() -> Bench:
    """Tools whose locators see nothing."""
    made = bench()
    made.windows.quads = ()
    return made


def test_qr_codes_and_others_are_answered_together() -> None:
    picture = beside(qr_picture("the qr code"), drawn("DataMatrix"), drawn("Code128"))
    ladder = empty_bench().ladder()
    for asked, expected in (
        ("all", {"the qr code", "HELLO123"}),
        ("qr", {"the qr code"}),
        ("linear", {"HELLO123"}),
        ("DataMatrix", {"HELLO123"}),
    ):
        outcome = ladder.run(picture, effort=Effort.BALANCED, symbologies=parse(asked))
        assert set(texts(outcome)) == expected
        assert {found.symbol.symbology for found in outcome.codes} <= parse(asked)
        assert outcome.unread == ()


def test_without_the_qr_family_no_rung_is_climbed() -> None:
    made = bench()
    outcome = made.ladder().run(drawn("EAN13"), effort=Effort.BALANCED, symbologies=parse("linear"))
    assert texts(outcome) == ["5901234123457"]
    assert stages(outcome) == ["direct"]
    assert made.windows.sizes == []


def test_variants_read_what_the_untouched_picture_does_not_show() -> None:
    faint = cv2.GaussianBlur(drawn("DataMatrix", scale=6), (0, 0), 2.0)
    faint = (40 + faint * (16 / 255)).astype(np.uint8)
    assert OtherCodes(parse("DataMatrix")).read(faint) == []
    ladder = empty_bench().ladder()
    outcome = ladder.run(faint, effort=Effort.BALANCED, symbologies=parse("DataMatrix"))
    assert (texts(outcome), rungs(outcome)) == (["HELLO123"], {"variants"})
    assert ladder.run(faint, effort=Effort.FAST, symbologies=parse("DataMatrix")).codes == ()


def test_thorough_effort_answers_each_code_once() -> None:
    picture = beside(drawn("DataMatrix"), drawn("Aztec"))
    outcome = empty_bench().ladder().run(picture, effort=Effort.THOROUGH, symbologies=parse("all"))
    assert sorted(found.symbol.symbology for found in outcome.codes) == ["Aztec", "DataMatrix"]


def test_expect_counts_codes_of_every_kind() -> None:
    picture = beside(qr_picture("the qr code"), drawn("DataMatrix"))
    outcome = empty_bench().ladder().run(picture, effort=Effort.BALANCED, expect=1, symbologies=parse("all"))
    assert texts(outcome) == ["the qr code"]


@pytest.mark.parametrize("symbology", sorted(UNASKED - UNWRITTEN))
def test_the_only_code_of_another_kind_is_named_unasked(symbology: str) -> None:
    picture = drawn(symbology)
    outcome = empty_bench().ladder().run(picture, effort=Effort.BALANCED)
    (seen,) = outcome.unread
    assert outcome.codes == ()
    assert seen.reason is Reason.OTHER_SYMBOLOGY
    assert seen.symbology in {symbology, "EAN13"}
    assert (seen.version, seen.module_pixels) == (None, None)
    left, top, right, bottom = seen.corners.bounds
    assert 0 <= left < right <= picture.shape[1]
    assert 0 <= top < bottom <= picture.shape[0]


def test_it_is_not_named_beside_a_qr_code_nor_by_a_fast_look_nor_after_the_budget() -> None:
    code, both = drawn("DataMatrix"), beside(qr_picture("the qr code"), drawn("DataMatrix"))
    ladder = empty_bench().ladder()
    assert ladder.run(both, effort=Effort.BALANCED).unread == ()
    assert ladder.run(code, effort=Effort.FAST).unread == ()
    assert ladder.run(code, effort=Effort.BALANCED, budget=1e-9).unread == ()
    assert ladder.run(code, effort=Effort.BALANCED, budget=inf).unread != ()


def test_frames_of_a_label_with_another_code() -> None:
    frames = [drawn("DataMatrix"), qr_picture("the qr code")]
    outcome = empty_bench().ladder().fuse(frames, effort=Effort.BALANCED, symbologies=parse("all"))
    assert {(found.symbol.text, found.frame) for found in outcome.codes} == {("HELLO123", 0), ("the qr code", 1)}
