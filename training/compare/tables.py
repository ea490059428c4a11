"""Prints the comparison as Markdown: what systems cost, what they read, how faithful they are, claims, and the papers'
own figures."""

from collections.abc import Iterable, Sequence

from training.compare.claims import PUBLISHED_FIGURES, Judged
from training.compare.cost import CROP_SIDE, MODULES, PATCH_SIDE, VERSION
from training.compare.rows import Row
from training.measure.quality import Rate

NOTHING = "-"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; every row is as long as its head."""
    lines = [head, ["---"] * len(head), *rows]
    if any(len(line) != len(head) for line in lines):
        raise ValueError("a row is not as long as the head")
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(rate: Rate | None) -> str:
    """A rate with its 95 % interval."""
    return NOTHING if rate is None or not rate.n else str(rate).strip()


def number(value: float | None, digits: int = 0) -> str:
    """A figure, or the sign for none."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def milliseconds(value: float | None) -> str:
    """Two digits where they say something."""
    return number(value, 1 if value is not None and value < 10 else 0)


def millions(parameters: int | None) -> str:
    """Learned values."""
    return NOTHING if parameters is None else f"{parameters / 1e6:.2f} M"


def _times(values: Sequence[float | None]) -> str:
    return NOTHING if all(value is None for value in values) else " / ".join(map(milliseconds, values))


def _threads(number: int) -> str:
    return f"{number} thread{'s' * (number != 1)}"


def _picture_head(threads: Sequence[int]) -> str:
    return f"ms a picture, {' / '.join(map(_threads, threads))}"


def _gmac(row: Row) -> str:
    if row.macs is None:
        return NOTHING
    low, high = (f"{macs / 1e9:.2f}" for macs in row.macs)
    return (low if low == high else f"{low} to {high}") + (f" ({row.side}²)" if row.side else "")


def costs(rows: Sequence[Row], threads: Sequence[int]) -> str:
    """Size and time of every row."""
    devices = [*map(str, threads), *(["cuda"] if any("cuda" in row.inference_ms for row in rows) else [])]
    label = " / ".join(_threads(int(each)) if each.isdecimal() else each for each in devices)
    head = ["system", "parameters", "GMAC (input)", f"ms an inference, {label}", _picture_head(threads), "weights"]
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
    if not row.was_tried(names):
        return NOTHING
    return percent(row.rate_by_zbar(names) if by_zbar else row.rate(names))


def rates(rows: Sequence[Row], names: Sequence[str], photographs: Sequence[str], *, by_zbar: bool) -> str:
    """Decode rates by set and over all synthetic ones, on photographs where there are any, and pictures misread."""
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
    """PSNR, SSIM by set, and over all sets sharpness too."""

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
    """A line for every row: cost, fidelity and rates over all of these sets, and photographs where there are any."""

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


def claims(judged: Sequence[Judged]) -> str:
    """One line a claim."""
    return table(
        ["claim", "our measurement", "figures"],
        ([claim.statement, f"**{claim.verdict}**", "; ".join(claim.figures)] for claim in judged),
    )


def published() -> str:
    """The sources' own figures."""
    return table(
        ["source and its data", "system", "size", "time", "quality"],
        ([one.source, one.system, one.size or NOTHING, one.time or NOTHING, one.quality] for one in PUBLISHED_FIGURES),
    )


def report(
    rows: Sequence[Row],
    judged: Sequence[Judged],
    *,
    names: Sequence[str],
    photographs: Sequence[str],
    threads: Sequence[int],
    measured: str,
) -> str:
    """The whole comparison; ``measured`` says on how many pictures and on which machine."""
    return "\n\n".join(
        (
            measured,
            "**Over all sets together**: decode rate in % by ZBar alone and by all engines with its 95 % Wilson"
            " interval, a read counting when the payload's bytes equal the truth; systems in the order of that rate,"
            " then of their time. What each column means is told with its table below.",
            summary(rows, names, photographs, threads),
            "**Decode rate in %, all engines**, set by set. `-`: no picture of the set holds"
            " what the system is for (enlarging networks take codes of modules under 3 pixels); over all sets such"
            " pictures count as unread. `wrong` counts pictures with another payload than the truth.",
            rates(rows, names, photographs, by_zbar=False),
            "**Decode rate in %, ZBar alone** reading what the system made:",
            rates(rows, names, photographs, by_zbar=True),
            "**PSNR in dB / SSIM** against the clean symbol at 4 pixels a module, at the code's true place (what an"
            " enlarging network makes is straightened to that, and so is the symbol it is held to); over all sets also"
            " the variance of the Laplacian over that of the clean symbol (1 is as sharp). Means are over the pictures"
            " that a system is for: enlarging networks are not judged on the larger modules.",
            fidelities(rows, names),
            f"**Cost.** GMAC (convolutions and matrix products) and ms of one inference are for a code of version"
            f" {VERSION} with its quiet zone, {MODULES} modules a side: a canonical crop of {CROP_SIDE} x {CROP_SIDE}"
            f" pixels, padded as the network needs it, or {PATCH_SIDE} x {PATCH_SIDE} pixels for networks that enlarge."
            " ms a picture is the mean over pictures of every set, locating and reading included; a system that finds"
            " nothing for it in a picture has spent the time of looking.",
            costs(rows, threads),
            "**What the sources claim**, held against these rows (the rule is in `training/compare/claims.py`:"
            " differences picture by picture; undecided where the 95 % interval does not tell):",
            claims(judged),
            "**Published figures: theirs, on their own data**, not measured by us:",
            published(),
        )
    )
