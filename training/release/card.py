"""Writes the model card of every shipped checkpoint from the files' headers alone: python -m training.release.card.

What a file's header does not say is not in its card: architecture and constructor arguments, where the weights come
from, what commands of this project measured of them, the file's size; and what each architecture is for.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.models import NETWORKS, checkpoint
from app.models.checkpoint import SUFFIX, Checkpoint
from app.pipeline.inference.severity import THRESHOLD_KEY
from training.measure.served import add_options
from training.run.headers import decode_figures, run_lengths

_GREETING = """# Model cards

Written by `python -m training.release.card` from the headers of the files in `weights/`; do not edit by hand. Rates are percent
of pictures whose payload was read exactly, with the 95 % Wilson interval, on the synthetic sets of `training/measure/sets.py`
and, where a card says so, on photographs.
"""
_GENERAL = (
    "What its data, below, does not list was not seen.",
    "QR codes of the standard's square kind; Micro QR and rMQR codes were not seen.",
)
_ROLES = ("light", "heavy", "upscaler", "reader", "locator")


@dataclass(frozen=True)
class Purpose:
    """What a kind of network is for, and what it is not for."""

    use: str
    limits: tuple[str, ...]


_DRAWS = "May draw modules that were never there: a read is right by its error correction, not by the picture's look."
_RESTORER = Purpose(
    "Restores a located code: a grey canonical crop at 4 pixels a module, quiet zone of 4 modules included, dark on"
    " light, contrast stretched, to a clean one of the same size, for engines to read.",
    (
        "Needs the code located and straightened; on whole pictures it was not trained.",
        _DRAWS,
    ),
)
_ENLARGER = Purpose(
    "Enlarges a grey picture of a code as it lies, modules of 1 to 3 pixels, contrast stretched, by {scale}.",
    (
        "Codes of larger modules gain nothing: the ladder does not show them to it.",
        _DRAWS,
    ),
)
_OWN: dict[str, Purpose] = {
    "ModuleReader": Purpose(
        "Reads a canonical crop module by module, told the supposed version's function patterns; gives log-odds, from"
        " which the symbol is rebuilt or decoded softly.",
        ("Needs the right version and corners to about half a module.",),
    ),
    "QuadLocator": Purpose(
        "Votes for the corners of codes in windows of a picture of 256 pixels a side.",
        ("Finds places, also where there is no code; registration on the function patterns decides.",),
    ),
}


def card(made: Checkpoint, size: int, role: str | None) -> str:
    """One checkpoint's card as Markdown; ``size`` in bytes, ``role`` is what the ladder has it for."""
    purpose = _purpose(made)
    scale = getattr(made.network, "scale", 1)
    use = purpose.use.format(scale=scale) + (f" The ladder's {role} network by default." if role else "")
    arguments = ", ".join(f"{key}={value}" for key, value in sorted(made.config.items()))
    blocks = [
        f"## {made.name}",
        f"`{made.architecture}({arguments})`: {made.parameters:,} parameters, {size:,} bytes.",
        f"**For.** {use}",
        _list("Limits.", (*purpose.limits, *_GENERAL, *_weak_sets(made.measured))),
        _list("Where the weights come from.", (*_lengths(made.provenance), *_told(made.provenance))),
        _measured(made.measured),
    ]
    return "\n\n".join(block for block in blocks if block)


def _purpose(made: Checkpoint) -> Purpose:
    own = _OWN.get(made.architecture)
    return own or (_ENLARGER if int(getattr(made.network, "scale")) > 1 else _RESTORER)  # noqa: B009 - of every restorer


def _list(title: str, items: Sequence[str]) -> str:
    return "\n".join([f"**{title}**", *(f"- {item}" for item in items)]) if items else ""


def _lengths(provenance: Mapping[str, Any]) -> Iterator[str]:
    """The sum of a run that continues others."""
    minutes, samples = run_lengths(provenance)
    if "continues" in provenance and minutes is not None and samples is not None:
        yield f"in all: {minutes:g} minutes, {samples:,} samples"


def _told(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """A header's values, those within others behind the names of these."""
    for key, value in sorted(values.items()):
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _told(value, f"{name}, ")
        else:
            yield f"{name}: {_value(value) if key != 'seed' else value}"


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _weak_sets(measured: Mapping[str, Any]) -> Iterator[str]:
    """The sets of which less than half is read."""
    weak = [
        f"{name} {100 * figures['all']:.0f} %"
        for name, figures in sorted(decode_figures(measured).items())
        if figures["all"] < 0.5
    ]
    if weak:
        yield f"Reads less than half of {', '.join(weak)}."


def _measured(measured: Mapping[str, Any]) -> str:
    """What was measured, rates as a table."""
    decode = decode_figures(measured)
    rest = {key: value for key, value in measured.items() if key != "decode"}
    lines = ["**Measured.**" if decode or rest else "**Measured.** Nothing yet."]
    lines += [f"- {line}" for line in _told({_NAMES.get(key, key): value for key, value in rest.items()})]
    if not decode:
        return "\n".join(lines)
    rows = ["", "| set | n | all engines | ZBar | wrong payloads | PSNR | SSIM |", "|---|---|---|---|---|---|---|"]
    for name, figures in sorted(decode.items()):
        psnr, ssim = figures.get("psnr"), figures.get("ssim")
        cells = (
            name,
            str(figures["n"]),
            _rate(figures, "all"),
            _rate(figures, "zbar"),
            str(figures["wrong"]),
            "" if psnr is None else f"{psnr:.2f} dB",
            "" if ssim is None else f"{ssim:.3f}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, *rows])


_NAMES = {THRESHOLD_KEY: "routing threshold (Laplacian variance)"}


def _rate(figures: Mapping[str, Any], key: str) -> str:
    value, interval = figures.get(key), figures.get(f"{key}_interval")
    if value is None or interval is None:
        return ""
    return f"{100 * value:.1f} [{100 * interval[0]:.0f}-{100 * interval[1]:.0f}]"


def cards(weights: Path, roles: Mapping[str, str]) -> str:
    """Every checkpoint of a folder by name; ``roles`` by a checkpoint's name. Raises InvalidCheckpoint."""
    paths = sorted(weights.glob(f"*{SUFFIX}"))
    whole = sum(path.stat().st_size for path in paths)
    made = [checkpoint.load(path) for path in paths]
    each = [card(one, path.stat().st_size, roles.get(one.name)) for one, path in zip(made, paths, strict=True)]
    summary = f"{len(paths)} files, {whole / 1e6:.1f} MB; architectures: {', '.join(NETWORKS)}."
    return "\n\n".join([_GREETING.rstrip(), summary, *each]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.release.card", description="Write the model cards.")
    parser.add_argument("--out", type=Path, help="write into this file instead of printing")
    add_options(parser)
    options = parser.parse_args()
    text = cards(options.weights, {getattr(options, role): role for role in _ROLES})
    if options.out:
        options.out.write_text(text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
