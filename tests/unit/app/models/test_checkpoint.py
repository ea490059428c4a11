import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from app.errors import InvalidCheckpoint
from app.models.checkpoint import FORMAT, Checkpoint, add_measured, fingerprint, load, save
from app.models.header import file_fingerprint
from app.models.registry import NETWORKS
from tests.support.networks import TINY, random_inputs

CONFIGS: dict[str, dict[str, object]] = {
    "LENet": {"base": 4, "blocks": (1, 1, 1, 1), "residual_init": 0.1},
    "EGRestormer": {
        "width": 8,
        "blocks": (1, 1, 1, 1),
        "refinement": 1,
        "edge_guidance": False,
        "edge_source": "input",
    },
    "Restormer": {"width": 8, "blocks": (1, 1, 1, 1), "refinement": 1, "stem": 2},
    "NAFNet": {"width": 4, "encoder_blocks": (1, 1), "decoder_blocks": (1, 1), "stem": 2, "residual_init": 0.1},
    "SRResNet": {"width": 4, "blocks": 1, "batch_norm": True},
    "PaperGen": {"width": 4, "blocks": 1, "upsampling": "transposed"},
    "AdvancedSimpleQR": {"width": 4, "groups": 1, "blocks": 1, "bicubic_skip": False},
    "SRGANGenerator": {"width": 4, "blocks": 1},
    "RRDBNet": {"width": 4, "blocks": 1, "growth": 4, "stem": 2, "bicubic_skip": True},
    "ModuleReader": TINY["ModuleReader"],
    "QuadLocator": TINY["QuadLocator"],
}


def made(architecture: str = "LENet") -> Checkpoint:
    torch.manual_seed(1)
    config = CONFIGS[architecture]
    network = NETWORKS[architecture](**config)
    return Checkpoint("mine", architecture, network, config, {"recipe": "none", "seed": 1}, {"rate": 0.5})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.safetensors"
    save(made(), path)
    return path


def header_of(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as opened:
        return dict(opened.metadata())


def rewrite(path: Path, *, tensors: dict[str, Tensor] | None = None, **header: str | None) -> None:
    """Replaces the tensors or entries of the header; None removes an entry."""
    merged = {**header_of(path), **header}
    kept = {key: value for key, value in merged.items() if value is not None}
    save_file(load_file(path) if tensors is None else tensors, path, metadata=kept)


def answer(made: Checkpoint) -> Tensor:
    torch.manual_seed(2)
    with torch.inference_mode():
        output: Tensor = made.network.eval()(*random_inputs(made.architecture))
    return output


@pytest.mark.parametrize("architecture", NETWORKS)
def test_a_saved_checkpoint_loads_unchanged(architecture: str, tmp_path: Path) -> None:
    before = made(architecture)
    path = tmp_path / "renamed.safetensors"
    save(before, path)
    after = load(path)
    assert torch.equal(answer(after), answer(before))
    assert after.name == "renamed"
    assert (after.architecture, after.config) == (architecture, before.config)
    assert (after.provenance, after.measured) == (before.provenance, before.measured)
    assert after.parameters == sum(p.numel() for p in before.network.parameters())


def test_loaded_networks_are_for_inference_only(file: Path) -> None:
    network = load(file).network
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("architecture", NETWORKS)
def test_half_precision_halves_the_file_and_keeps_the_answer(architecture: str, tmp_path: Path) -> None:
    before = made(architecture)
    path = tmp_path / "half.safetensors"
    save(before, path, half=True)
    stored = load_file(path)
    assert {tensor.dtype for tensor in stored.values() if tensor.is_floating_point()} == {torch.float16}
    after = load(path)
    assert {p.dtype for p in after.network.parameters()} == {torch.float32}
    assert 0 < (answer(after) - answer(before)).abs().max() < 2e-3


def test_header_says_everything(file: Path) -> None:
    header = header_of(file)
    assert header["format"] == FORMAT
    assert header["architecture"] == "LENet"
    assert json.loads(header["config"]) == {"base": 4, "blocks": [1, 1, 1, 1], "residual_init": 0.1}
    assert json.loads(header["provenance"]) == {"recipe": "none", "seed": 1}
    assert json.loads(header["measured"]) == {"rate": 0.5}


def guided(**config: object) -> Checkpoint:
    torch.manual_seed(1)
    config = {**TINY["EGRestormer"], **config}
    return Checkpoint("mine", "EGRestormer", NETWORKS["EGRestormer"](**config), config)


def test_a_file_from_before_edges_had_a_source_keeps_those_of_its_training(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save(guided(edge_source="normalised"), path)
    stated = fingerprint(load(path))
    rewrite(path, config=json.dumps(TINY["EGRestormer"]))
    assert load(path).config["edge_source"] == "normalised"
    assert fingerprint(load(path)) == file_fingerprint(path) == stated  # so its exports still fit


def test_a_saved_file_states_the_source_of_edges(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save(guided(), path)
    assert json.loads(header_of(path)["config"])["edge_source"] == "input"
    assert load(path).config["edge_source"] == "input"
    assert fingerprint(guided()) == fingerprint(load(path)) != fingerprint(guided(edge_source="normalised"))


def test_saving_leaves_nothing_else_behind(file: Path) -> None:
    save(made(), file)
    assert list(file.parent.iterdir()) == [file]


def test_measured_figures_are_added_and_replaced() -> None:
    before = made()
    after = add_measured(before, {"rate": 0.75, "threshold": 9})
    assert after.measured == {"rate": 0.75, "threshold": 9}
    assert before.measured == {"rate": 0.5}
    assert after.network is before.network


# --- refusals -------------------------------------------------------------------------------------------------------


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-64])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("not a tensor in sight\n" * 9)


def remove(path: Path) -> None:
    path.unlink()


def foreign(path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, path)


def unknown_architecture(path: Path) -> None:
    rewrite(path, architecture="UNet")


def other_architecture(path: Path) -> None:
    rewrite(path, architecture="EGRestormer", config=json.dumps(CONFIGS["EGRestormer"]))


def config_missing(path: Path) -> None:
    rewrite(path, config=None)


def config_no_json(path: Path) -> None:
    rewrite(path, config="{base: 4")


def config_no_mapping(path: Path) -> None:
    rewrite(path, config="[4]")


def config_foreign_argument(path: Path) -> None:
    rewrite(path, config=json.dumps({"base": 4, "depth": 3}))


def config_wrong_type(path: Path) -> None:
    rewrite(path, config=json.dumps({"base": "four"}))


def config_too_few_levels(path: Path) -> None:
    rewrite(path, config=json.dumps({"base": 4, "blocks": [1, 1]}))


def config_uneven(path: Path) -> None:
    rewrite(path, architecture="NAFNet", config=json.dumps({"encoder_blocks": [1, 1], "decoder_blocks": [1]}))


def config_no_such_upsampling(path: Path) -> None:
    rewrite(path, architecture="PaperGen", config=json.dumps({"upsampling": "nearest"}))


def other_width(path: Path) -> None:
    rewrite(path, config=json.dumps({**CONFIGS["LENet"], "base": 8}))


def nan(path: Path) -> None:
    spoil_value(path, float("nan"))


def infinite(path: Path) -> None:
    spoil_value(path, float("inf"))


def spoil_value(path: Path, value: float) -> None:
    tensors = load_file(path)
    tensors["intro.weight"][0, 0, 0, 0] = value
    rewrite(path, tensors=tensors)


def key_missing(path: Path) -> None:
    tensors = load_file(path)
    del tensors["outro.bias"]
    rewrite(path, tensors=tensors)


def key_unexpected(path: Path) -> None:
    rewrite(path, tensors={**load_file(path), "outro.scale": torch.ones(1)})


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (truncate, "not a complete safetensors file"),
        (empty, "not a complete safetensors file"),
        (text, "not a complete safetensors file"),
        (remove, "not a complete safetensors file"),
        (foreign, f"does not say format '{FORMAT}'"),
        (unknown_architecture, f"'UNet' is none of {', '.join(NETWORKS)}"),
        (other_architecture, "missing ['decoders.0.0.attention.project.weight'"),
        (config_missing, "does not describe a network that can be built"),
        (config_no_json, "does not describe a network that can be built"),
        (config_no_mapping, "does not describe a network that can be built"),
        (config_foreign_argument, "does not describe a network that can be built"),
        (config_wrong_type, "does not describe a network that can be built"),
        (config_too_few_levels, "does not describe a network that can be built"),
        (config_uneven, "does not describe a network that can be built"),
        (config_no_such_upsampling, "does not describe a network that can be built"),
        (other_width, "the shape of 'intro.weight' does not match"),
        (nan, "not finite"),
        (infinite, "not finite"),
        (key_missing, "missing ['outro.bias'], unexpected []"),
        (key_unexpected, "missing [], unexpected ['outro.scale']"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_refusal_names_file_and_reason(file: Path, spoil: Callable[[Path], None], reason: str) -> None:
    spoil(file)
    with pytest.raises(InvalidCheckpoint) as refused:
        load(file)
    assert str(file) in str(refused.value)
    assert reason in refused.value.reason
