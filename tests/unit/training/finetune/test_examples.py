"""Codes are cut out of photographs with the truth where it was printed, and become batches."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.pipeline.crops.rectifying import rectify
from app.pipeline.imaging import GreyImage
from app.pipeline.locating.regions import Region
from app.pipeline.locating.registering import Registration
from app.pipeline.qrcode.patterns import QUIET_ZONE, dimension
from tests.support.codes import Modules, encode, photograph
from training.finetune.examples import Example, append_row, make_example, read_rows
from training.finetune.mixing import CORNER_ERROR, Mixture, PhotoCrops, can_be_tuned, tuned
from training.finetune.truth import Truth
from training.recipes.lenet import lenet
from training.recipes.module_reader import module_reader
from training.recipes.papergen import papergen
from training.run.config import TrainConfig

CORNERS = np.array([[60.3, 50.7], [231.0, 71.2], [222.5, 244.0], [45.9, 228.1]])
MODULES = encode("what was printed", version=3, error="m")
PAYLOAD = b"what was printed"


def shot(modules: Modules = MODULES, *, scale: float = 1.0, inverted: bool = False) -> GreyImage:
    """A blurred photograph of a symbol with its corners at ``CORNERS`` times ``scale``."""
    side = round(300 * scale)
    image = cv2.GaussianBlur(photograph(modules, CORNERS * scale, (side, side)), (0, 0), 2.0 * scale)
    return np.asarray(~image if inverted else image, dtype=np.uint8)


def example(
    folder: Path,
    image: GreyImage,
    corners: NDArray[np.float64],
    *,
    modules: Modules = MODULES,
    inverted: bool = False,
    alike: float = 0.9,
    agreement: float = 0.9,
    name: str = "a/b.png",
    number: int = 0,
) -> Example | None:
    version = (len(modules) - 17) // 4
    crop = rectify(image, corners, len(modules))
    region = Region(Registration(corners, version, agreement, inverted), ~crop if inverted else crop)
    truth = Truth(modules, PAYLOAD, alike)
    return make_example(image, region, truth, file=name, source="label", folder=folder, number=number)


def in_picture(made: Example, corners: list[list[float]], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners in pixels of the photograph: the patch's place is known from the registered ones."""
    registered = np.array(made.corners)
    scale = np.ptp(true, axis=0) / np.ptp(registered, axis=0)
    return np.asarray((np.array(corners) - registered) * scale + true)


def test_the_truth_moves_to_where_the_symbol_lies(tmp_path: Path) -> None:
    registered = CORNERS + np.array([[2.5, 0], [0, -2.5], [2, 2], [-2.5, 1]])
    made = example(tmp_path, shot(), registered)
    assert made is not None
    aligned = in_picture(made, made.aligned, registered)
    assert np.abs(registered - CORNERS).max() > 2
    assert np.abs(aligned - CORNERS).max() < 0.9  # of 5.9 pixels a module


@pytest.mark.parametrize("inverted", [False, True])
def test_a_patch_holds_the_code_with_room_around_it(tmp_path: Path, inverted: bool) -> None:
    made = example(tmp_path, shot(inverted=inverted), CORNERS, inverted=inverted)
    assert made is not None
    assert made.patch == "a__b.png.0.png"
    assert np.array_equal(made.dark, MODULES)
    crop = made.region(made.load(tmp_path)).crop
    side = dimension(3)
    means = crop.reshape(side + 8, 4, side + 8, 4).mean(axis=(1, 3))[QUIET_ZONE:-QUIET_ZONE, QUIET_ZONE:-QUIET_ZONE]
    assert ((means < 125) == MODULES).mean() > 0.95


def test_large_patches_are_reduced(tmp_path: Path) -> None:
    made = example(tmp_path, shot(scale=4.0), CORNERS * 4)
    assert made is not None
    patch = made.load(tmp_path)
    assert 450 < max(patch.shape) < 700
    assert np.linalg.norm(np.subtract(made.aligned[1], made.aligned[0])) / dimension(3) == pytest.approx(12, abs=0.3)


def test_a_truth_that_nothing_bears_out_is_left_out(tmp_path: Path) -> None:
    other = encode("nothing of the kind", version=3, error="m")
    assert example(tmp_path, shot(other), CORNERS, agreement=0.4, alike=0.5) is None
    assert list(tmp_path.iterdir()) == []


def test_rows_survive_a_killed_process(tmp_path: Path) -> None:
    made = example(tmp_path, shot(), CORNERS)
    assert made is not None
    path = tmp_path / "list.jsonl"
    append_row(path, made)
    with path.open("a") as file:
        file.write('{"file": "cut o')
    append_to = [Example(**row) for row in read_rows(path)]
    assert append_to == [made]
    append_row(path, made)
    assert len(list(read_rows(path))) == 2


def several(folder: Path) -> list[Example]:
    made = [example(folder, shot(), CORNERS, number=1)]
    small = encode("what was printed", version=1, error="l")
    made.append(example(folder, shot(small), CORNERS, modules=small, number=2))
    large = encode("what was printed", version=12, error="l")
    made.append(example(folder, shot(large), CORNERS, modules=large, number=3))
    return [one for one in made if one]


def test_batches_for_restorers_hold_whole_crops_of_one_version(tmp_path: Path) -> None:
    crops = PhotoCrops(several(tmp_path), tmp_path, size=4, size_multiple=32, reads=False)
    rng, sides = np.random.default_rng(0), set()
    for _ in range(12):
        batch = crops(rng)
        assert batch.dark is not None
        side = batch.dark.shape[-1]
        sides.add((side, len(batch.degraded)))
        assert batch.degraded.shape == batch.clean.shape == (len(batch.dark), 1, *(2 * (-(-4 * side // 32) * 32,)))
        light = batch.clean[:, :, : 4 * side, : 4 * side].unfold(2, 4, 4).unfold(3, 4, 4).mean(dim=(4, 5))
        assert torch.equal(light < 0.5, batch.dark > 0.5)
    assert sides == {(29, 4), (37, 4), (73, 2)}  # large ones take as much memory


def test_batches_for_the_module_reader_hold_windows_with_planes(tmp_path: Path) -> None:
    crops = PhotoCrops(several(tmp_path), tmp_path, size=3, size_multiple=1, reads=True)
    rng, sides = np.random.default_rng(0), set()
    for _ in range(12):
        batch = crops(rng)
        assert batch.dark is not None
        assert batch.planes is not None
        side = batch.dark.shape[-1]
        sides.add(side)
        assert batch.degraded.shape == (3, 1, 4 * side, 4 * side)
        assert batch.planes.shape == (3, 4, side, side)
        known, value = batch.planes[:, :1], batch.planes[:, 1:2]
        assert torch.equal((value > 0)[known > 0], (batch.dark > 0)[known > 0])
    assert sides == {29, 37, 41}


def test_crops_are_cut_at_the_truth_with_errors_as_in_service(tmp_path: Path) -> None:
    made = example(tmp_path, shot(), CORNERS)
    assert made is not None
    crops = PhotoCrops([made], tmp_path, size=6, size_multiple=1, reads=True)
    batch = crops(np.random.default_rng(1))
    assert CORNER_ERROR > 0
    assert not torch.equal(batch.degraded[0], batch.degraded[1])
    light = batch.degraded.unfold(2, 4, 4).unfold(3, 4, 4).mean(dim=(4, 5))
    assert float(((light < 0.5) == (batch.dark > 0.5)).float().mean()) > 0.9  # type: ignore[operator]


def test_a_mixture_draws_its_share_from_photographs_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    made = example(tmp_path, shot(), CORNERS)
    assert made is not None
    crops = PhotoCrops([made], tmp_path, size=1, size_multiple=1, reads=True)
    synthetic: list[int] = []

    def draw(rng: np.random.Generator) -> object:
        synthetic.append(1)
        return crops(rng)

    mixture = Mixture(crops, draw, share=0.3)  # type: ignore[arg-type]
    batches = [mixture(np.random.default_rng(seed)) for seed in range(60)]
    assert 30 < len(synthetic) < 55
    again = mixture(np.random.default_rng(7))
    assert torch.equal(again.inputs[0], batches[7].inputs[0])


@pytest.mark.parametrize("recipe", [module_reader, lenet])
def test_a_tuned_run_keeps_the_recipe_but_for_data_and_rate(tmp_path: Path, recipe: object) -> None:
    config: TrainConfig = recipe()  # type: ignore[operator]
    made = example(tmp_path, shot(), CORNERS)
    assert made is not None
    run = tuned(config, [made], tmp_path, share=1.0, rate=0.25, data={"photographs": "one"})
    assert run.learning_rate == 0.25 * config.learning_rate
    assert run.data == {**config.data, "photographs": "one"}
    assert (run.network, run.loss, run.batch_size) == (config.network, config.loss, config.batch_size)
    batch = run.make_batch(np.random.default_rng(0))
    assert batch.inputs[0].shape[0] == config.batch_size


def test_networks_that_enlarge_cannot_be_tuned(tmp_path: Path) -> None:
    assert not can_be_tuned(papergen())
    with pytest.raises(ValueError, match="papergen does not train on crops"):
        tuned(papergen(), [], tmp_path, share=1.0, rate=0.25, data={})
    with pytest.raises(ValueError, match="no photograph"):
        tuned(lenet(), [], tmp_path, share=1.0, rate=0.25, data={})
