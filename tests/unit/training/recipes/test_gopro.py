"""The reader of GoPro's folder layout, on a folder of four made frames."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from app.models.checkpoint import load
from tests.support.networks import TINY
from training.__main__ import main
from training.data.crops import CropBatch
from training.data.progressive_patches import ProgressivePatches
from training.recipes.gopro import GoProPatches, gopro_frames, gopro_pretraining
from training.recipes.registry import RECIPES
from training.run.loop import Run

NAMES = ("GOPR0372_07_00/000047.png", "GOPR0372_07_00/000048.png", "GOPR0384_11_00/000001.png")
SHAPE = (40, 56)


def scene(seed: int) -> np.ndarray:
    """A colour picture without two equal places."""
    return np.random.default_rng(seed).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)


def write(root: Path, *, enlarged: int = 1) -> Path:
    """Sharp frames, the same half as bright as their blurred ones, a quarter as bright as those with gamma; a test
    frame beside them."""
    for index, name in enumerate((*NAMES, "test")):
        split, place = ("test", "GOPR0396_11_00/000001.png") if name == "test" else ("train", name)
        take, file = place.split("/")
        for kind, divisor in (("sharp", 1), ("blur", 2), ("blur_gamma", 4)):
            folder = root / split / take / kind
            folder.mkdir(parents=True, exist_ok=True)
            picture = scene(index).repeat(enlarged, axis=0).repeat(enlarged, axis=1)
            cv2.imwrite(str(folder / file), picture // divisor)
    return root


@pytest.fixture
def gopro(tmp_path: Path) -> Path:
    return write(tmp_path / "GOPRO_Large")


def patches(directory: Path, seed: int = 0, *, size: int = 2, side: int = 16, **options: object) -> CropBatch:
    return GoProPatches(directory=directory, **options)(np.random.default_rng(seed), size=size, side=side)


def test_frames_are_listed_by_name_with_their_sharp_ones(gopro: Path) -> None:
    found = gopro_frames(gopro)
    assert [frame.blurred.relative_to(gopro).as_posix() for frame in found] == [
        f"train/{name.replace('/', '/blur/')}" for name in NAMES
    ]
    assert [frame.sharp.relative_to(gopro).as_posix() for frame in found] == [
        f"train/{name.replace('/', '/sharp/')}" for name in NAMES
    ]


def test_the_folder_may_be_the_one_that_holds_it(gopro: Path) -> None:
    assert gopro_frames(gopro.parent) == gopro_frames(gopro)


def test_split_and_gamma_choose_other_frames(gopro: Path) -> None:
    assert [frame.blurred.parts[-4] for frame in gopro_frames(gopro, split="test")] == ["test"]
    assert {frame.blurred.parent.name for frame in gopro_frames(gopro, gamma=True)} == {"blur_gamma"}
    assert {frame.sharp.parent.name for frame in gopro_frames(gopro, gamma=True)} == {"sharp"}


def test_patches_are_grey_and_shaped_as_documented(gopro: Path) -> None:
    batch = patches(gopro, size=3, side=24)
    assert batch.degraded.shape == batch.clean.shape == (3, 1, 24, 24)
    assert batch.degraded.dtype == batch.clean.dtype == torch.float32
    assert batch.dark is None
    assert 0 <= float(batch.clean.min()) < float(batch.clean.max()) <= 1


@pytest.mark.parametrize(("gamma", "divisor"), [(False, 2), (True, 4)])
def test_both_patches_show_the_same_place_the_same_way_up(gopro: Path, gamma: bool, divisor: int) -> None:
    """Blurred frames are the sharp ones made darker here, so they must agree pixel by pixel."""
    for seed in range(8):
        batch = patches(gopro, seed, gamma=gamma)
        assert torch.allclose(batch.degraded, batch.clean / divisor, atol=2 / 255)


def test_places_turns_and_flips_are_all_drawn(gopro: Path) -> None:
    greys = [
        cv2.imread(str(frame.sharp), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255 for frame in gopro_frames(gopro)
    ]
    seen = set()
    for seed in range(60):
        patch = patches(gopro, seed, size=1).clean[0, 0].numpy()
        upright = {
            (turns, flip): np.rot90(patch[:, ::-1] if flip else patch, -turns)
            for turns in range(4)
            for flip in (False, True)
        }
        matches = [
            (index, *way, row, column)
            for index, grey in enumerate(greys)
            for way, found in upright.items()
            for row, column in np.argwhere(np.isclose(grey[:25, :41], found[0, 0], atol=1e-6))
            if np.allclose(found, grey[row : row + 16, column : column + 16])
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert {found[0] for found in seen} == {0, 1, 2}
    assert len({found[1:3] for found in seen}) == 8
    assert max(found[3] for found in seen) > 20
    assert max(found[4] for found in seen) > 32


def test_no_frame_comes_twice_in_a_batch_while_there_are_others(gopro: Path) -> None:
    for index, frame in enumerate(gopro_frames(gopro)):
        cv2.imwrite(str(frame.sharp), np.full((*SHAPE, 3), 50 * index, dtype=np.uint8))
    for seed in range(12):
        assert {round(255 * patch.mean().item()) for patch in patches(gopro, seed, size=3).clean} == {0, 50, 100}
    assert patches(gopro, size=5).clean.shape[0] == 5


def test_batches_depend_on_the_seed_alone(gopro: Path) -> None:
    first, same, other = (patches(gopro, seed) for seed in (1, 1, 2))
    assert torch.equal(first.degraded, same.degraded)
    assert not torch.equal(first.degraded, other.degraded)


def test_other_layouts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no frames train/GOPR\*/blur/\*\.png"):
        patches(tmp_path)


def spoil(gopro: Path, kind: str, change: Callable[[Path], object]) -> Path:
    change(gopro / "train" / "GOPR0384_11_00" / kind / "000001.png")
    return gopro


def test_frames_without_a_sharp_one_are_refused(gopro: Path) -> None:
    with pytest.raises(ValueError, match="no sharp counterpart"):
        patches(spoil(gopro, "sharp", Path.unlink))


def test_files_that_are_no_pictures_are_refused(gopro: Path) -> None:
    with pytest.raises(ValueError, match="is not a picture"):
        patches(spoil(gopro, "blur", lambda file: file.write_bytes(b"nothing")), size=3)


def test_pairs_of_two_sizes_and_frames_below_a_patch_are_refused(gopro: Path) -> None:
    with pytest.raises(ValueError, match="no 48 px patch"):
        patches(gopro, side=48)
    spoil(gopro, "sharp", lambda file: cv2.imwrite(str(file), scene(0)[:-1]))
    with pytest.raises(ValueError, match="no 16 px patch"):
        patches(gopro, size=3)


# --- the run --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["lenet", "eg-restormer"])
def test_pretraining_is_the_recipes_network_on_other_data(gopro: Path, recipe: str) -> None:
    recipe_itself = RECIPES[recipe]()
    first = gopro_pretraining(recipe_itself, gopro)
    assert first.name == f"{recipe}-pretrain"
    assert (first.architecture, first.network) == (recipe_itself.architecture, recipe_itself.network)
    assert (first.learning_rate, first.final_learning_rate) == (3e-4, 1e-6)
    assert (first.betas, first.weight_decay) == ((0.9, 0.999), 1e-4)
    assert "3 pairs" in str(first.data["sample"])
    assert isinstance(first.make_batch, ProgressivePatches)
    assert first.make_batch.sides == (128, 160, 192, 256, 320, 384)


def test_networks_that_enlarge_are_not_pretrained(gopro: Path) -> None:
    with pytest.raises(ValueError, match="srresnet-x4"):
        gopro_pretraining(RECIPES["srresnet-x4"](), gopro)


def test_a_missing_folder_is_told_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no frames"):
        gopro_pretraining(RECIPES["lenet"](), tmp_path)


def test_pretraining_runs_and_its_weights_begin_the_second_stage(gopro: Path, tmp_path: Path) -> None:
    whole = RECIPES["lenet"]()
    small = replace(
        whole, network=TINY["LENet"], make_batch=partial(whole.make_batch, size=2, max_version=1), minutes=1e9
    )
    first = gopro_pretraining(small, gopro)
    assert isinstance(first.make_batch, ProgressivePatches)
    tiny = replace(first, make_batch=replace(first.make_batch, sides=(16,), sizes=(2,), until=(1.0,)))
    before = Run(tiny, tmp_path / "first")
    before.clock.bfloat16 = False
    assert np.isfinite(before.train(stop_after=2))
    weights = load(tmp_path / "first" / "lenet-pretrain.safetensors")
    after = Run(small, tmp_path / "second", start=weights)
    for key, value in weights.network.state_dict().items():
        assert torch.equal(after.network.state_dict()[key], value)
    after.clock.bfloat16 = False
    assert np.isfinite(after.train(stop_after=1))


@pytest.mark.slow
def test_the_command_trains_on_the_frames_before_and_begins_with_what_that_gave(
    tmp_path: Path,
) -> None:
    gopro = write(tmp_path / "gopro", enlarged=10)
    options = ["--gopro", str(gopro), "--steps", "2", "--device", "cpu", "--out", str(tmp_path)]
    main(["tests.support.tiny_recipes:level", *options])
    first, second = (load(tmp_path / name / f"{name}.safetensors").provenance for name in ("level-pretrain", "level"))
    assert second["continues"] == first
    assert "GoPro" in str(first["data"])
    assert (first["steps"], second["steps"]) == (2, 2)
