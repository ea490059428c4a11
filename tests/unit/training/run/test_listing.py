from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.models.checkpoint import Checkpoint, load, save
from tests.support.tiny_recipes import plain
from training.__main__ import main
from training.recipes.registry import RECIPES
from training.run.config import TrainConfig
from training.run.listing import describe
from training.run.loop import Run


def tiny() -> TrainConfig:
    """What a recipe is.

    More of it.
    """
    return plain()


def card(directory: Path, **changes: object) -> Checkpoint:
    return replace(Run(plain(), directory / "run").checkpoint(), **changes)


def test_a_recipe_without_weights_is_told_with_its_cost(tmp_path: Path) -> None:
    first, cost, result = describe("tiny", tiny, tmp_path).splitlines()
    assert first.split(maxsplit=1) == ["tiny", "What a recipe is."]
    parameters = sum(value.numel() for value in Run(plain(), tmp_path / "run").network.parameters())
    assert cost.strip() == f"cost: 0.5 minutes, batches of 2, {parameters / 1e6:.2f} M parameters"
    assert result.strip() == f"no weights in {tmp_path}, so no results"


def test_the_result_is_what_the_weights_themselves_say(tmp_path: Path) -> None:
    before = {"steps": 1000, "training_minutes": 30.0}
    history = {"steps": 500, "training_minutes": 12.4, "device": "cpu", "continues": before}
    rates = {"scene": {"all": 0.77, "all_interval": [0.678, 0.842]}, "lr32": {"all": 1.0, "all_interval": [0.963, 1.0]}}
    save(card(tmp_path, provenance=history, measured={"decode": rates}), tmp_path / "tiny.safetensors")
    *_, result = describe("tiny", tiny, tmp_path).splitlines()
    trained, rates = result.strip().split("; ")
    assert trained == "trained: 1,500 steps in 42 minutes on cpu"
    assert rates == "decode rates in % (95 % interval): lr32 100.0 (96-100), scene 77.0 (68-84)"


def test_weights_of_which_nothing_was_measured_say_so(tmp_path: Path) -> None:
    save(card(tmp_path), tmp_path / "tiny.safetensors")
    assert describe("tiny", tiny, tmp_path).endswith("trained: 0 steps in 0 minutes on cpu; no decode rates measured")


def test_the_list_has_every_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--list"])
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown if not line.startswith(" ")] == list(RECIPES)
    assert sum(line.strip().startswith("cost: ") for line in shown) == len(RECIPES)


@pytest.mark.parametrize(
    "words",
    [
        ["no-such"],
        ["no.such.module:recipe"],
        ["tests.support.tiny_recipes:no_such"],
        ["lenet", "--budget", "0"],
        ["lenet", "--steps", "-1"],
        ["lenet", "--vgg19", "no-such.pth"],
        ["srgan", "--vgg19", "no-such.pth"],
        ["lenet", "--gopro", "no-such-folder"],
        ["srgan", "--gopro", "no-such-folder"],
        ["lenet", "--start", "no-such.safetensors"],
    ],
)
def test_what_cannot_be_run_is_refused_in_a_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        main([*words, "--out", str(tmp_path)])
    assert refused.value.code == 2
    assert "error: " in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_a_recipe_of_ones_own_is_run_within_its_budget(tmp_path: Path) -> None:
    options = ["--budget", "0.005", "--device", "cpu", "--out", str(tmp_path), "--weights", str(tmp_path)]
    main(["tests.support.tiny_recipes:plain", *options])
    put, kept = (load(folder / "plain.safetensors") for folder in (tmp_path, tmp_path / "plain"))
    assert put.provenance == kept.provenance
    assert (tmp_path / "plain.safetensors").stat().st_size < (tmp_path / "plain" / "plain.safetensors").stat().st_size
    for key, value in kept.network.state_dict().items():
        assert torch.allclose(put.network.state_dict()[key], value, rtol=1e-3, atol=1e-6)
    run = Run(replace(plain(), minutes=0.005), tmp_path / "plain")
    assert run.finished()
    assert run.checkpoint().provenance["planned_minutes"] == 0.005
    assert 0.3 <= run.clock.seconds < 3


def test_a_run_may_have_a_seed_of_its_own(tmp_path: Path) -> None:
    words = ["tests.support.tiny_recipes:plain", "--steps", "2", "--device", "cpu"]
    for name, seed in (("own", ["--seed", "77"]), ("recipe", [])):
        main([*words, *seed, "--out", str(tmp_path / name)])
    own, recipe = (load(tmp_path / name / "plain" / "plain.safetensors") for name in ("own", "recipe"))
    assert own.provenance["seed"] == 77
    assert recipe.provenance["seed"] == plain().seed != 77
    first, second = (list(one.network.state_dict().values()) for one in (own, recipe))
    assert not all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("given", [False, True])
def test_the_run_that_another_begins_with_is_run_before_unless_weights_are_given(given: bool, tmp_path: Path) -> None:
    words = ["tests.support.tiny_recipes:staged", "--steps", "3", "--device", "cpu", "--out", str(tmp_path)]
    if given:
        save(card(tmp_path, provenance={"recipe": "given"}), tmp_path / "given.safetensors")
        words += ["--start", str(tmp_path / "given.safetensors")]
    main(words)
    assert (tmp_path / "plain").exists() != given
    provenance = load(tmp_path / "staged" / "staged.safetensors").provenance
    assert provenance["continues"]["recipe"] == ("given" if given else "plain")
    assert provenance["steps"] == 3
    if not given:
        assert provenance["continues"]["steps"] == 3


def test_a_run_does_not_begin_with_the_weights_of_another_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(card(tmp_path), tmp_path / "tiny.safetensors")
    words = ["srresnet-x4", "--start", str(tmp_path / "tiny.safetensors"), "--out", str(tmp_path / "runs")]
    with pytest.raises(SystemExit):
        main(words)
    assert "holds weights of another network than that of srresnet-x4" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
