"""Percentiles, slopes and verdicts against values by hand."""

import pytest

from tools.load.reckoning import MEGABYTE, Processor, Sample, Slopes, level, percentile, slope, slopes


@pytest.mark.parametrize(
    ("share", "expected"), [(0.01, 15), (0.2, 15), (0.21, 20), (0.4, 20), (0.5, 35), (0.95, 50), (0.99, 50), (1.0, 50)]
)
def test_percentiles_are_the_nearest_rank(share: float, expected: float) -> None:
    assert percentile([50, 15, 40, 20, 35], share) == expected


def test_percentiles_of_many() -> None:
    values = [float(value) for value in range(1, 1001)]
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99)] == [500, 950, 990]
    assert percentile([7.0], 0.5) == 7


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.1)])
def test_percentiles_without_values_or_a_share_are_refused(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile(values, share)


def test_slope_of_a_line_and_of_scattered_points() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2)
    assert slope([(0, 0), (1, 2), (2, 1), (3, 3)]) == pytest.approx(0.8)
    assert slope([(5, 3), (9, 3)]) == 0


@pytest.mark.parametrize("points", [[], [(1.0, 1.0)], [(1.0, 1.0), (1.0, 2.0)]])
def test_slopes_without_a_line_are_refused(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="slope"):
        slope(points)


def growing(server: float, children: float, *, until: int = 10_000) -> list[Sample]:
    """Samples that grow by so many MB per 1,000 requests in the second half, and ten times as fast in the first."""
    samples, taken, theirs = [], 300.0, 400.0
    for done in range(0, until + 1, 100):
        samples.append(Sample(done, int(taken * MEGABYTE), int(theirs * MEGABYTE)))
        part = 0.1 if done >= until / 2 else 1.0
        taken, theirs = taken + part * server, theirs + part * children
    return samples


def test_memory_slopes_are_of_the_second_half_per_thousand_requests() -> None:
    found = slopes(growing(1.5, -0.5))
    assert found is not None
    assert found.server == pytest.approx(1.5)
    assert found.children == pytest.approx(-0.5)
    assert found.both == pytest.approx(1.0)


def test_memory_slopes_need_samples() -> None:
    assert slopes([]) is None
    assert slopes([Sample(0, 1, 1)]) is None
    assert slopes([Sample(0, 1, 1), Sample(0, 2, 2)]) is None


def test_children_that_are_replaced_hardly_tilt_the_slope() -> None:
    """A sawtooth: each child grows by 10 MB over 1,000 requests and is then replaced."""
    samples = [Sample(done, 300_000_000, int((400 + done % 1000 / 100) * MEGABYTE)) for done in range(0, 10_001, 50)]
    found = slopes(samples)
    assert found is not None
    assert abs(found.both) < 0.5


@pytest.mark.parametrize(
    ("server", "both", "is_level"), [(0.0, 0.0, True), (2.0, 2.0, True), (2.1, 0.0, False), (0.0, 2.1, False)]
)
def test_a_leak_of_the_server_does_not_hide_behind_its_children(server: float, both: float, is_level: bool) -> None:
    assert level(Slopes(server, both - server, both), 2.0) is is_level


def test_what_bounds_a_run() -> None:
    def bound(**seconds: float) -> str:
        parts = {"server": 0.0, "children": 0.0, "client": 0.0, "others": 0.0} | seconds
        return Processor(wall=10.0, cores=2, **parts).bound()

    assert "its children" in bound(server=5, children=13, client=1)
    assert "other processes" in bound(children=5, others=14.5)
    assert "one core" in bound(server=9.5, children=1)
    assert "60% of the processor was idle" in bound(server=4, children=4)


def test_idle_time_is_the_rest() -> None:
    used = Processor(wall=10.0, cores=2, server=4.0, children=8.0, client=1.0, others=2.0)
    assert used.idle == pytest.approx(5.0)
    assert used.share(used.children) == pytest.approx(0.4)
    assert Processor(1.0, 1, 2.0, 0.0, 0.0, 0.0).idle == 0
