"""Gates: how much must speak for a code before a step is worth its time."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Gates:
    """Least values, 0 to 1, from which the steps of the ladder run. Thorough effort ignores ``suspicion``,
    ``unstriped``, ``start`` and ``hope``.

    Agreement is that of the picture with the function patterns at a place; score is the locator's. What each gate costs
    and saves is measured by `training.measure.gates` and listed in docs/measurements.md.
    """

    rough: float = 0.4
    """Score of a rough candidate that is looked at closely."""
    rough_in_fine: float = 0.45
    """The same where the picture is seen in fine detail, where textures look like codes more often."""
    suspicion: float = 0.01
    """Chance of a code that the locator saw around a place at smaller sizes, from which it looks there in fine
    detail."""
    score: float = 0.8
    """Score of a candidate that is registered. Of the codes that register, 99 % have 0.9 or more."""
    score_beside: float = 0.88
    """The same in a picture where a code was found. Of the 36 codes that were read beside others in 380 photographs one
    had less than 0.9, none less than 0.89; of the candidates there that were no codes half had less than 0.9."""
    unstriped: float = 0.63
    """Share of a candidate that is no stripes, below which only the best of a look is registered: lines of text and
    bars have less. Of 1,600 codes of the synthetic sets, faint ones on streaks left out, none has less than 0.66; codes
    that are mostly padding may."""
    start: float = 0.12
    """Agreement of a candidate whose corners registration refines, before it does."""
    realigned: float = 0.85
    """Score of an unread candidate that is realigned by its finder patterns."""
    realigned_beside: float = 0.92
    """The same in a picture where a code was found."""
    rectified: float = 0.42
    """Agreement of a place that is read straightened."""
    modules: float = 0.5
    """Agreement of a place that is read module by module."""
    modules_beside: float = 0.42
    """The same in a picture where a code was found."""
    modules_of_high: float = 0.5
    """The same for symbols of version 10 or more, which take ten times as long to read as one of version 1."""
    variants: float = 0.85
    """Score of a large candidate that is read at other sizes and contrasts, whatever its agreement."""
    flattened: float = 0.55
    """Agreement of a place that is flattened."""
    restored: float = 0.55
    """Agreement of a place that networks restore."""
    hope: float = 0.48
    """Agreement of a place for whose sake slow locators are asked where nothing was read."""
    credible: float = 0.57
    """Agreement of a place that the answer names if it stays unread. Of the places that were read, 95 % had 0.62 or
    more, none less than 0.57; of 132 places in 100 photographs without a code none had more than 0.52. Places from here
    on are read at other sizes and contrasts, too, whatever their size."""
