"""What is answered of a tagged picture, turned upright, is what is answered of the picture that viewers show."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from app.codes import Code
from app.pipeline.files.decoding import decode_image
from app.pipeline.imaging import GreyImage
from app.pipeline.orienting import Stored, stored_page, turn_upright
from app.pipeline.part import Part
from app.pipeline.quad import Quad
from app.pipeline.results import Effort, Frame, Outcome, PageInfo, Reason, Unread, View
from app.workers.jobs import DecodeJob, FuseJob, OutlineJob, Pipeline, RestoreJob
from tests.support.bench import shipped_ladder
from tests.support.codes import encode, photograph
from tests.support.live.pictures import exif

PLACE = np.array([[40.0, 30.0], [160.0, 44.0], [150.0, 160.0], [30.0, 150.0]])
PICTURE = photograph(encode("upright", version=2), PLACE, (190, 260))


def shown(picture: GreyImage, orientation: int) -> GreyImage:
    """What viewers show (TIFF 6.0, tag 274; Exif 2.3)."""
    mirrored = picture[:, ::-1] if orientation in (2, 4, 5, 7) else picture
    clockwise = {1: 0, 2: 0, 3: 2, 4: 2, 5: 3, 6: 1, 7: 1, 8: 3}[orientation]
    return np.ascontiguousarray(np.rot90(mirrored, -clockwise))


def tagged(orientation: int, picture: GreyImage = PICTURE) -> bytes:
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    return jpeg[:2] + exif(orientation) + jpeg[2:]


def pipeline() -> Pipeline:
    return Pipeline(ladder=shipped_ladder(8), max_pixels=1_000_000)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_is_as_shown(orientation: int) -> None:
    job = DecodeJob(tagged(orientation), Effort.FAST, frame=Frame.UPRIGHT)
    outcome, plain = pipeline().do(job), pipeline().do(replace(job, data=tagged(1, shown(PICTURE, orientation))))
    (code,), (truth,) = map(Code.of, outcome.codes), map(Code.of, plain.codes)
    assert (outcome.width, outcome.height, outcome.orientation) == (plain.width, plain.height, orientation)
    assert [(page.width, page.height) for page in outcome.pages] == [(plain.width, plain.height)]
    assert np.abs(np.subtract(code.position, truth.position)).max() < 1.5
    assert np.abs(np.subtract(code.position_normalised, truth.position_normalised)).max() < 0.01
    assert (code.mirrored, code.text) == (truth.mirrored, "upright")
    assert (code.rotation - truth.rotation + 180) % 360 - 180 == pytest.approx(0, abs=1)


def test_stored_is_the_default_and_states_the_orientation() -> None:
    outcome = pipeline().do(DecodeJob(tagged(6), Effort.FAST))
    assert (outcome.width, outcome.height, outcome.orientation) == (260, 190, 6)
    assert np.abs(np.subtract(outcome.codes[0].symbol.corners.as_tuple, PLACE)).max() < 1.5


def test_each_frame_is_turned_by_its_own_orientation() -> None:
    other = photograph(encode("other", version=2), PLACE, (190, 260))
    job = FuseJob((tagged(6), tagged(3, other)), Effort.FAST, frame=Frame.UPRIGHT)
    outcome = pipeline().do(job)
    assert (outcome.width, outcome.height, outcome.orientation) == (190, 260, 6)
    places = {code.frame: Code.of(code) for code in outcome.codes}
    for frame, picture in ((0, shown(PICTURE, 6)), (1, shown(other, 3))):
        (alone,) = pipeline().do(DecodeJob(tagged(1, picture), Effort.FAST)).codes
        assert np.abs(np.subtract(places[frame].position, alone.symbol.corners.as_tuple)).max() < 1.5
        shares = np.subtract(places[frame].position_normalised, Code.of(alone).position_normalised)
        assert np.abs(shares).max() < 0.01


def test_a_restoration_states_the_orientation() -> None:
    job = RestoreJob(tagged(8), "modules", 1, binary=False, view=View.STRAIGHTENED)
    assert pipeline().do(job).outcome.orientation == 8


def decoded(png: bytes) -> GreyImage:
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return np.asarray(image, np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_restored_picture_is_turned_with_its_positions(orientation: int) -> None:
    job = RestoreJob(tagged(orientation), "modules", 1, binary=False, view=View.ORIGINAL)
    stored, upright = pipeline().do(job), pipeline().do(replace(job, frame=Frame.UPRIGHT))
    picture = decoded(upright.png)
    assert np.array_equal(picture, shown(decoded(stored.png), orientation))
    assert (upright.height, upright.width) == picture.shape
    plain = pipeline().do(DecodeJob(tagged(1, shown(PICTURE, orientation)), Effort.FAST))
    (code,), (truth,) = map(Code.of, upright.outcome.codes), map(Code.of, plain.codes)
    assert (upright.outcome.width, upright.outcome.height) == (plain.width, plain.height)
    assert np.abs(np.subtract(code.position, truth.position)).max() < 1.5
    assert (code.mirrored, code.text) == (truth.mirrored, "upright")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_straightened_code_is_that_of_the_picture_as_shown(orientation: int) -> None:
    job = RestoreJob(tagged(orientation), "modules", 1, binary=False, view=View.STRAIGHTENED, frame=Frame.UPRIGHT)
    upright, plain = pipeline().do(job), pipeline().do(replace(job, data=tagged(1, shown(PICTURE, orientation))))
    assert np.array_equal(decoded(upright.png), decoded(plain.png))


def test_a_part_without_a_code_is_turned() -> None:
    picture = np.tile(np.linspace(40, 200, 200, dtype=np.uint8), (100, 1))
    job = RestoreJob(
        tagged(6, picture), "modules", 1, binary=False, view=View.STRAIGHTENED, part=Part.parse("0,0,80,60")
    )
    stored, upright = pipeline().do(job), pipeline().do(replace(job, frame=Frame.UPRIGHT))
    assert not upright.located
    assert (upright.width, upright.height) == (60, 80)
    assert np.array_equal(decoded(upright.png), shown(decoded(stored.png), 6))


def test_outlines_lie_on_the_picture_as_shown() -> None:
    corners = Quad.of([(20, 30), (60, 30), (60, 80), (20, 80)])
    outlined = decoded(pipeline().do(OutlineJob(tagged(6), 0, (corners,), (), Frame.UPRIGHT)))
    base = shown(decode_image(tagged(1), max_pixels=1_000_000), 6)
    assert outlined.shape[:2] == base.shape
    changed = np.abs(outlined[..., :3].astype(int) - base[..., None]).max(axis=2) > 60
    rows, columns = np.nonzero(changed)
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == pytest.approx((20, 30, 60, 80), abs=4)


def test_what_was_not_read_is_turned_clockwise() -> None:
    corners = Quad.of([(10, 20), (50, 20), (50, 60), (10, 60)])
    place = Unread(corners, Reason.UNREADABLE, 0.5)
    page = PageInfo(0, 100, 80, orientation=7)
    outcome = Outcome((), 100, 80, None, (), False, unread=(place,), pages=(page,), orientation=7)
    turned = turn_upright(outcome, lambda _: stored_page(page))
    assert (turned.width, turned.height) == (80, 100)
    assert turned.unread[0].corners.as_tuple == ((60, 90), (20, 90), (20, 50), (60, 50))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_corners_stay_clockwise(orientation: int) -> None:
    corners = Stored(100, 80, orientation).upright(Quad.of([(10, 20), (50, 20), (50, 60), (10, 60)]))
    assert cv2.contourArea(corners.array.astype(np.float32), oriented=True) > 0
