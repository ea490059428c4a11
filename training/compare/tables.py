"""Formats the comparison as Markdown: costs, decode rates, fidelity, claims, and the sources' published figures."""

from collections.abc import Iterable, Mapping, Sequence

from training.compare.claims import PUBLISHED_FIGURES, Judgement
from training.compare.cost import CROP_SIDE, MODULES, PATCH_SIDE, VERSION
from training.compare.rows import Row
from training.measure.rates import Rate

NOTHING = "-"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table. Raises ValueError for a row that differs in length from the head."""
    lines = [head, ["---"] * len(head), *rows]
    if any(len(line) != len(head) for line in lines):
        raise ValueError("every row must have as many cells as the head")
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(rate: Rate | None) -> str:
    """A table's cell: a rate with its 95 % interval."""
    return NOTHING if rate is None or not rate.n else str(rate).strip()


def number(value: float | None, digits: int = 0) -> str:
    """A table's cell: a number with ``digits`` decimals, or the sign for none."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def milliseconds(value: float | None) -> str:
    """A table's cell: milliseconds, with one decimal below 10."""
    return number(value, 1 if value is not None and value < 10 else 0)


def millions(parameters: int | None) -> str:
    """A table's cell: a number of parameters in millions."""
    return NOTHING if parameters is None else f"{parameters / 1e6:.2f} M"


def _times(values: Sequence[float | None]) -> str:
    return NOTHING if all(value is None for value in values) else " / ".join(map(milliseconds, values))


def _threads(number: int) -> str:
    return f"{number} thread{'s' * (number != 1)}"


def _picture_head(threads: Sequence[int]) -> str:
    return f"ms per picture, {' / '.join(map(_threads, threads))}"


def _gmac(row: Row) -> str:
    if row.macs is None:
        return NOTHING
    low, high = (f"{macs / 1e9:.2f}" for macs in row.macs)
    return (low if low == high else f"{low} to {high}") + (f" ({row.side}²)" if row.side else "")


def costs(rows: Sequence[Row], threads: Sequence[int]) -> str:
    """Table of the size and time of every row."""
    devices = [*map(str, threads), *(["cuda"] if any("cuda" in row.inference_ms for row in rows) else [])]
    label = " / ".join(_threads(int(each)) if each.isdecimal() else each for each in devices)
    head = ["system", "parameters", "GMAC (input)", f"ms per inference, {label}", _picture_head(threads), "weights"]
    return table(
        head,
        (
            [
                row.name,
                millions(row.parameters),
                _gmac(row),
                _times([row.inference_ms.get(each) for each in devices]),
                _times([row.picture_ms(each) for each in threads]),
                row.origin or NOTHING,
            ]
            for row in rows
        ),
    )


def _cell(row: Row, names: Sequence[str], *, by_zbar: bool) -> str:
    if not row.count_applicable(names):
        return NOTHING
    return percent(row.rate_by_zbar(names) if by_zbar else row.rate(names))


def rates(rows: Sequence[Row], names: Sequence[str], photographs: Sequence[str], *, by_zbar: bool) -> str:
    """Table of decode rates by set, over all synthetic sets and on ``photographs``, and the number of misread
    pictures."""
    shown = [row for row in rows if row.trials and not (by_zbar and row.rate_by_zbar(names) is None)]
    head = ["system", *names, "all sets", *photographs, "wrong"]
    return table(
        head,
        (
            [
                row.name,
                *(_cell(row, (name,), by_zbar=by_zbar) for name in names),
                percent(row.rate_by_zbar(names) if by_zbar else row.rate(names)),
                *(_cell(row, (name,), by_zbar=by_zbar) for name in photographs),
                str(row.wrong((*names, *photographs))),
            ]
            for row in shown
        ),
    )


def fidelities(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Table of PSNR and SSIM by set; over all sets also sharpness."""

    def cell(row: Row, which: Sequence[str], *, sharpness: bool = False) -> str:
        mean = row.fidelity(which)
        if mean is None:
            return NOTHING
        return f"{mean.psnr:.2f} / {mean.ssim:.3f}" + (f" / {mean.sharpness:.2f}" if sharpness else "")

    return table(
        ["system", *names, "all sets (/ sharpness)"],
        (
            [row.name, *(cell(row, (name,)) for name in names), cell(row, names, sharpness=True)]
            for row in rows
            if row.fidelity(names)
        ),
    )


def summary(rows: Sequence[Row], names: Sequence[str], photographs: Sequence[str], threads: Sequence[int]) -> str:
    """Table with a line for every row: cost, fidelity and rates over all sets, and rates on ``photographs``."""

    def line(row: Row) -> list[str]:
        mean = row.fidelity(names)
        return [
            row.name,
            millions(row.parameters),
            _gmac(row),
            _times([row.picture_ms(each) for each in threads]),
            NOTHING if mean is None else f"{mean.psnr:.2f} / {mean.ssim:.3f}",
            percent(row.rate_by_zbar(names)),
            percent(row.rate(names)),
            *(_cell(row, (name,), by_zbar=False) for name in photographs),
        ]

    head = ["system", "parameters", "GMAC (input)", _picture_head(threads), "PSNR / SSIM", "ZBar", "all engines"]
    return table([*head, *photographs], map(line, rows))


def claims(judgements: Sequence[Judgement]) -> str:
    """Table with a line for every claim."""
    return table(
        ["claim", "verdict", "figures"],
        ([each.statement, f"**{each.verdict}**", "; ".join(each.figures)] for each in judgements),
    )


def published() -> str:
    """Table of the figures that the sources publish."""
    return table(
        ["source and its data", "system", "size", "time", "quality"],
        ([one.source, one.system, one.size or NOTHING, one.time or NOTHING, one.quality] for one in PUBLISHED_FIGURES),
    )


def report(
    rows: Sequence[Row],
    judgements: Sequence[Judgement],
    *,
    names: Sequence[str],
    photographs: Sequence[str],
    threads: Sequence[int],
    measured: str,
) -> str:
    """All tables of the comparison as one page; ``measured`` states the number of pictures and the machine."""
    return "\n\n".join(
        (
            "# Comparison of every system",
            f"Generated by `python -m training.compare`; {measured}",
            "**All sets together.** Decode rates in % by ZBar alone and by all engines, with 95 % Wilson intervals. A"
            " read counts if the payload's bytes equal the truth. Systems are sorted by the rate of all engines, then"
            " by time. The tables below explain each column.",
            summary(rows, names, photographs, threads),
            "**Decode rate in %, all engines**, by set. Upscalers apply only to modules under 3 px: `-` means that no"
            " picture of the set has such modules, and over all sets pictures without such modules count as unread."
            " `wrong` counts pictures with a wrong payload.",
            rates(rows, names, photographs, by_zbar=False),
            "**Decode rate in %, ZBar alone** on the system's output:",
            rates(rows, names, photographs, by_zbar=True),
            "**PSNR in dB / SSIM** of the symbol, at its true place, against the clean symbol at 4 pixels per module."
            " The output of an upscaler, and the clean symbol that it is compared with, are rectified to this size."
            " Over all sets also sharpness: the variance of the Laplacian over that of the clean symbol, 1 for equal"
            " sharpness. Upscalers are measured only on modules under 3 px.",
            fidelities(rows, names),
            f"**Cost.** GMAC (convolutions and matrix products) and ms per inference are for a code of version"
            f" {VERSION} with its quiet zone, {MODULES} modules a side: a canonical crop of {CROP_SIDE} x {CROP_SIDE}"
            f" pixels, padded as the network needs it, or {PATCH_SIDE} x {PATCH_SIDE} pixels for upscalers. ms per"
            " picture is the mean over pictures of every set, including locating and reading, and including pictures"
            " in which the system finds no region that it applies to.",
            costs(rows, threads),
            "**The sources' claims**, tested on these results picture by picture (`training/compare/claims.py` states"
            " the rule). A claim is undecided where the 95 % interval does not settle it. The smallest detectable"
            " difference, beyond what is required, is stated for a level of 5 % and a power of 80 %:",
            claims(judgements),
            "**Published figures**, measured by the sources on their own data, not by us:",
            published(),
        )
    )


def figures(rows: Sequence[Row], judgements: Sequence[Judgement], settings: Mapping[str, object]) -> dict[str, object]:
    """The figures of all tables of the comparison, JSON-ready."""
    return {
        "settings": dict(settings),
        "rows": [row.figures() for row in rows],
        "claims": [
            {"claim": each.statement, "verdict": each.verdict.value, "figures": list(each.figures)}
            for each in judgements
        ],
        "published": [vars(one) for one in PUBLISHED_FIGURES],
    }
