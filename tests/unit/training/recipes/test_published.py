import json
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import torch

from app.errors import InvalidCheckpoint
from app.models.checkpoint import load
from app.models.registry import NETWORKS
from tests.support.networks import TINY
from training.data.crops import CropBatch
from training.data.pairs import BlurThenNoise
from training.data.published_degradations import Augmentation, BlurOrNoise, SecondOrderDegradation, add_noise, blur
from training.objectives.adversarial import relativistic_average, standard
from training.objectives.discriminators import ConvDiscriminator, UNetDiscriminator, VGGDiscriminator
from training.objectives.losses import WeightedSum, loss_name, mean_squared_loss, pixel_loss
from training.recipes.registry import RECIPES, VGG19_RECIPES
from training.run.config import BatchSchedule, TrainConfig
from training.run.loop import Run

OWN = {"lenet", "lenet-paper", "eg-restormer-small", "eg-restormer", "srresnet-x4", "module-reader", "quad-locator"}
PUBLISHED = {name: recipe for name, recipe in RECIPES.items() if name not in OWN}
ENLARGING = [name for name, make in PUBLISHED.items() if getattr(NETWORKS[make().architecture], "scale", 1) == 4]
ESRGAN = [name for name in PUBLISHED if name.startswith("qr-esrgan")]
SIDES = {"papergen": (64, 256), "advanced-simple-qr": (64, 256), "srresnet-l1": (64, 256), "srgan": (32, 128)}


def first_batches(config: TrainConfig) -> partial[CropBatch]:
    """What makes a recipe's batches, at the start of the run if they change over it."""
    make = config.make_batch.at(0.0) if isinstance(config.make_batch, BatchSchedule) else config.make_batch
    assert isinstance(make, partial)
    return make


def tiny(config: TrainConfig) -> TrainConfig:
    """A recipe with tiny networks, two samples a batch of the smallest codes, and its discriminator from the start."""
    make_batch = first_batches(config)
    given = make_batch.keywords
    small = {"size": 2, "max_version": 1}
    small |= {"low": 16, "crop": 8 if "crop" in given else None} if "low" in given else {"size_multiple": 32}
    takes_stem = "stem" in signature(NETWORKS[config.architecture]).parameters
    stem = {"stem": 4} if takes_stem and "low" not in given else {}
    chosen = replace(
        config,
        network={**TINY[config.architecture], **stem},
        make_batch=partial(make_batch, **small),
        batch_size=2,
        minutes=1e9,
        warmup_steps=1,
        picture_every=2,
    )
    if config.adversary is None:
        return chosen
    make = config.adversary.make
    assert isinstance(make, partial)
    judge = {"width": 2, **({"dense": 8, "side": 64} if make.func is VGGDiscriminator else {})}
    adversary = replace(config.adversary, make=partial(make, **judge), start_share=0.0)
    return replace(chosen, adversary=adversary)


def differing(first: TrainConfig, second: TrainConfig) -> set[str]:
    """Names of the fields that differ; batches and discriminators are compared by how they are made."""

    def plain(value: object) -> object:
        if isinstance(value, partial):
            return value.func, value.args, value.keywords
        return [plain(getattr(value, field.name)) for field in fields(value)] if name_is_adversary(value) else value

    names = {field.name for field in fields(TrainConfig)}
    return {name for name in names if plain(getattr(first, name)) != plain(getattr(second, name))}


def name_is_adversary(value: object) -> bool:
    return type(value).__name__ == "Adversary"


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_recipe_takes_real_steps_and_leaves_a_checkpoint(name: str, tmp_path: Path) -> None:
    chosen = tiny(PUBLISHED[name]())
    run = Run(chosen, tmp_path)
    run.clock.bfloat16 = False
    before = [value.clone() for value in run.network.state_dict().values()]
    assert np.isfinite(run.train(stop_after=2))
    assert not all(torch.equal(a, b) for a, b in zip(before, run.network.state_dict().values(), strict=True))
    made = load(tmp_path / f"{name}.safetensors")
    assert (made.architecture, made.provenance["recipe"]) == (chosen.architecture, name)
    assert made.provenance["loss"] == loss_name(chosen.loss)
    assert made.provenance["data"] == chosen.data
    assert ("adversary" in made.provenance) is (chosen.adversary is not None)
    assert (tmp_path / "samples" / "0000002.png").stat().st_size > 1000


@pytest.mark.parametrize("name", PUBLISHED)
def test_recipes_are_named_as_their_checkpoints_and_are_among_all(name: str) -> None:
    config = PUBLISHED[name]()
    assert config.name == name
    assert json.loads(json.dumps(config.data)) == config.data
    assert (PUBLISHED[name].__doc__ or "").splitlines()[0].endswith(".")


def test_all_promised_systems_are_there() -> None:
    promised = {
        *("papergen", "papergen-staged", "papergen-transposed", "advanced-simple-qr", "srgan"),
        *("qr-esrgan", "qr-esrgan-psnr", "srresnet-l1", "srresnet-mse"),
        *("restormer-small", "nafnet-small", "nafnet-32", "restormer"),
    }
    assert promised <= set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_networks_take_the_batches_of_their_recipes(name: str) -> None:
    config = PUBLISHED[name]()
    make = first_batches(config)
    assert make.keywords["size"] == config.batch_size
    batch = partial(make, size=1)(np.random.default_rng(0))
    with torch.device("meta"):
        network = NETWORKS[config.architecture](**config.network)
    assert batch.degraded.shape[-1] % network.size_multiple == 0
    assert network(batch.degraded.to("meta")).shape == batch.clean.shape
    if config.adversary is not None:
        with torch.device("meta"):
            judge = config.adversary.make()
        assert judge(torch.empty(2, *batch.clean.shape[1:], device="meta")).shape[0] == 2


# --- what each was published with -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIDES)
def test_codes_have_the_published_sizes(name: str) -> None:
    batch = partial(first_batches(PUBLISHED[name]()), size=1)(np.random.default_rng(1))
    assert (batch.degraded.shape[-1], batch.clean.shape[-1]) == SIDES[name]


@pytest.mark.parametrize(("name", "crop"), [("qr-esrgan", 32), ("qr-esrgan-psnr", 32), ("qr-esrgan-full", 64)])
def test_qr_esrgan_sees_parts_of_codes_of_128_pixels(name: str, crop: int) -> None:
    make = first_batches(PUBLISHED[name]())
    assert (make.keywords["low"], make.keywords["crop"]) == (128, crop)


@pytest.mark.parametrize("name", ENLARGING)
def test_all_that_enlarge_share_one_source_of_pairs_and_keep_their_degradation(name: str) -> None:
    make = first_batches(PUBLISHED[name]())
    assert make.func.__name__ == "pair_batch"
    kinds = {"srgan": Augmentation(), "papergen-staged": blur, **dict.fromkeys(ESRGAN, SecondOrderDegradation())}
    assert make.keywords["degradation"] == kinds.get(name, BlurOrNoise())


def test_papergen_trains_as_its_project_did() -> None:
    config = PUBLISHED["papergen"]()
    assert (config.batch_size, config.learning_rate, config.picture_every) == (16, 2e-4, 50)
    assert config.loss is mean_squared_loss
    assert config.adversary is not None
    assert config.adversary.losses is standard
    assert isinstance(config.adversary.make(), ConvDiscriminator)


def test_staged_papergen_sees_three_epochs_of_blur_and_then_ten_of_noise() -> None:
    make = PUBLISHED["papergen-staged"]().make_batch
    assert isinstance(make, BlurThenNoise)
    kinds = [make.at((epoch + 0.5) / 13) for epoch in range(13)]
    assert [kind.keywords["degradation"] for kind in kinds] == 3 * [blur] + 10 * [add_noise]


def test_srgan_has_its_published_networks() -> None:
    config = PUBLISHED["srgan"]()
    network = NETWORKS[config.architecture](**config.network)
    assert sum(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules()) == 2 * 16 + 1
    assert config.adversary is not None
    assert config.adversary.weight == 1e-3
    judge = config.adversary.make()
    assert isinstance(judge, VGGDiscriminator)
    convolutions = [module for module in judge.modules() if isinstance(module, torch.nn.Conv2d)]
    assert [module.out_channels for module in convolutions] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [module.out_features for module in judge.judge if isinstance(module, torch.nn.Linear)] == [1024, 1]


def test_qr_esrgan_sums_its_losses_against_a_relativistic_discriminator() -> None:
    config = PUBLISHED["qr-esrgan"]()
    assert isinstance(config.loss, WeightedSum)
    assert [name for name, _, _ in config.loss.terms] == ["pixels", "perceptual", "binary"]
    assert config.adversary is not None
    assert config.adversary.losses is relativistic_average
    assert isinstance(config.adversary.make(), UNetDiscriminator)


@pytest.mark.parametrize("name", ["advanced-simple-qr", "srresnet-mse", "srresnet-l1", "qr-esrgan-psnr"])
def test_those_without_a_discriminator_have_one_loss_of_pixels(name: str) -> None:
    config = PUBLISHED[name]()
    assert config.adversary is None
    assert config.loss is (mean_squared_loss if name in ("advanced-simple-qr", "srresnet-mse") else pixel_loss)


def test_full_sizes_are_the_networks_own() -> None:
    def parameters(name: str) -> float:
        config = PUBLISHED[name]()
        with torch.device("meta"):
            network = NETWORKS[config.architecture](**{**config.network, "channels": 3})
        return sum(value.numel() for value in network.parameters()) / 1e6

    assert [round(parameters(name), 2) for name in ("restormer", "nafnet-32", "qr-esrgan-full")] == [26.13, 17.11, 16.7]


# --- what is compared -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "apart"),
    [
        ("papergen", "papergen-transposed", {"name", "network"}),
        ("papergen", "papergen-staged", {"name", "make_batch", "data"}),
        ("srresnet-l1", "srresnet-mse", {"name", "loss"}),
        ("restormer-small", "eg-restormer-small", {"name", "architecture", "network"}),
        ("restormer", "eg-restormer", {"name", "architecture", "network"}),
        ("eg-restormer-small", "eg-restormer-small-as-coded", {"name", "network"}),
        ("qr-esrgan", "qr-esrgan-psnr", {"name", "loss", "learning_rate", "adversary", "previous", "seed"}),
        ("qr-esrgan-full", "qr-esrgan-psnr-full", {"name", "loss", "learning_rate", "adversary", "previous", "seed"}),
    ],
)
def test_claims_are_tested_on_pairs_that_differ_in_one_thing(first: str, second: str, apart: set[str]) -> None:
    assert differing(RECIPES[first](), RECIPES[second]()) == apart


def test_papergen_differs_from_its_rival_in_the_upsampling_alone() -> None:
    shuffled, transposed = (PUBLISHED[name]().network for name in ("papergen", "papergen-transposed"))
    assert {key for key in shuffled if shuffled[key] != transposed[key]} == {"upsampling"}


def test_the_second_stage_begins_with_the_first_ones_weights(tmp_path: Path) -> None:
    first = Run(tiny(PUBLISHED["qr-esrgan-psnr"]()), tmp_path / "previous")
    first.clock.bfloat16 = False
    first.train(stop_after=1)
    weights = load(tmp_path / "previous" / "qr-esrgan-psnr.safetensors")
    second = Run(tiny(PUBLISHED["qr-esrgan"]()), tmp_path / "second", start=weights)
    for key, value in weights.network.state_dict().items():
        assert torch.equal(second.network.state_dict()[key], value)


# --- perceptual losses ----------------------------------------------------------------------------------------------


def perceptual(config: TrainConfig) -> tuple[float, Callable[..., object]]:
    assert isinstance(config.loss, WeightedSum)
    return next((weight, loss) for name, weight, loss in config.loss.terms if name == "perceptual")


def test_without_vgg19_the_provenance_names_the_small_network() -> None:
    for name in VGG19_RECIPES:
        assert VGG19_RECIPES[name] is PUBLISHED[name]
        assert "small feature network" in loss_name(PUBLISHED[name]().loss)


def test_the_perceptual_loss_counts_beside_the_pixels_and_does_not_drown_them() -> None:
    """On what a network gives at the start: the enlarged input."""
    for name in ("srgan", "qr-esrgan"):
        config = PUBLISHED[name]()
        assert isinstance(config.make_batch, partial)
        batch = partial(config.make_batch, size=4)(np.random.default_rng(2))
        enlarged = torch.nn.functional.interpolate(batch.degraded, scale_factor=4, mode="bicubic")
        assert isinstance(config.loss, WeightedSum)
        parts = config.loss.parts(enlarged, batch)
        assert 0.05 < float(parts["perceptual"] / parts["pixels"]) < 5


@pytest.mark.parametrize("name", ["srgan", "qr-esrgan", "qr-esrgan-full"])
def test_another_file_is_not_taken_for_vgg19(name: str, tmp_path: Path) -> None:
    file = tmp_path / "vgg19-dcbb9e9d.pth"
    file.write_bytes(b"no network")
    with pytest.raises(InvalidCheckpoint, match="SHA-256"):
        VGG19_RECIPES[name](vgg19=file)


def test_every_name_on_vgg19_has_a_perceptual_term() -> None:
    for name, recipe in PUBLISHED.items():
        loss = recipe().loss
        terms = [term for term, _, _ in loss.terms] if isinstance(loss, WeightedSum) else []
        assert ("perceptual" in terms) is (name in VGG19_RECIPES)
        if name in VGG19_RECIPES:
            assert perceptual(PUBLISHED[name]())[0] > 0
