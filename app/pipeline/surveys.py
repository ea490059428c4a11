"""Surveys: where to look for codes that are not read yet, cheapest first."""

from collections.abc import Iterator, Sequence
from typing import Final

from app.pipeline.climb import LOCATE, Climb, Survey
from app.pipeline.inference.views import is_faint
from app.pipeline.inference.window_locator import LEAST_SIDE
from app.pipeline.locating.candidates import Candidate, Locator
from app.pipeline.locating.cut_off import completed
from app.pipeline.locating.finder_patterns import realign_by_finders, shows_finder_patterns
from app.pipeline.locating.neighbours import touching
from app.pipeline.locating.regions import NO_VERSION
from app.pipeline.locating.squares import shows_square_beside
from app.pipeline.locating.stripes import stripes
from app.pipeline.place import Place
from app.pipeline.qrcode.patterns import dimension
from app.pipeline.quad import Quad, elongation, oblong, side_length
from app.pipeline.results import Found
from app.pipeline.rungs import read_crowd

_BETWEEN: Final = 1000
_USUAL_SIZE: Final = 640  # at which every picture with room for another code is seen
_SIZES: Final = (256, 640, _BETWEEN, 1500, 3000)
"""Longest sides, in pixels, at which the quad locator sees a picture, one after the other. ``_BETWEEN`` is for pictures
of several codes: of blurred ones it sees four in five at any one size, and others at another."""
_LARGEST_UNPROMPTED: Final = 1500  # of them, where nothing was read and the effort is not thorough
_SMALLER: Final = 2.5  # times the least side that the locator sees, at which codes so much smaller are seen, too
_ROOM: Final = 1.3  # sides that a code takes with its quiet zones, 4 modules each of 25 or so
_BARE_ROOM: Final = 1.0  # sides that it takes without them
_LEAST_ROOM: Final = 0.25  # sides that a much smaller one takes, which touches it without any gap
_LARGE: Final = 0.33  # of the picture that one code takes, from which there is no much larger one
_SEVERAL: Final = 2  # codes, from which there may be others of every kind
_MANY: Final = 12  # codes, from which a look that shows no more of them is the last
_EASILY: Final = 1.3  # times the least side that the locator sees, at which it hardly misses a sharp code
_INVERTED_SIZE: Final = 640  # at which inverted codes are looked for where nothing was read
_OUTSTANDING: Final = 0.1  # by which a candidate's score exceeds the next one's, so that it is read first
_LARGER: Final = 1.3  # times the size before, from which a picture is worth another look
_FINE_SIZE: Final = 1500  # from which a picture is seen in fine detail
_MOST_STRIPED: Final = 1  # candidates of a look that show stripes, unless that one is credible
_FOOLED: Final = 8  # candidates of a look, none of which is credible, after which finer looks beside codes show no more
_DOUBTFUL: Final = 0.35  # agreement from which a place is realigned, whatever the candidate's score
_SAME: Final = 0.7  # overlap with a code from which a region says how many modules it has
_NEARLY: Final = 0.42  # agreement from which its own corners are registered patiently, too
# On the set cut, 55 places at the edge registered once they were completed; all had 0.39 or more before. Of 13 in
# photographs without a code two had.
_CUT_OFF: Final = 0.38  # agreement from which a place at the edge is completed beyond it
_MOST_REALIGNED: Final = 6  # places of a survey
_LEAST_REALIGNED_SIDE: Final = 40  # pixels
_REALIGNED: Final = 4  # candidates that may come of one
_LEAST_REALIGNED: Final = 0.4  # agreement
# In 380 photographs the stretched picture showed one code that nothing else did, and a candidate of 1.63 hinted at it;
# of 65 pictures without a code 9 have a candidate of 1.5.
_STEEP: Final = 1.5  # times as long as wide that a candidate is, from which codes in steep perspective are looked for
# That code once showed as a candidate of 0.90 that no version fits; of 131 pictures without a code 3 have one of 0.88.
_SURE: Final = 0.88  # score of a candidate that no version fits, from which the picture is stretched, too


def surveys(climb: Climb, sighted: Sequence[Candidate]) -> Iterator[Survey]:
    """Yields one survey after another, the usual ones and then the further ones; the caller reads its places before it
    asks for the next."""
    yield from usual_surveys(climb, sighted)
    yield from further_surveys(climb)


def usual_surveys(climb: Climb, sighted: Sequence[Candidate]) -> Iterator[Survey]:
    """Surveys that most codes need at most.

    First the candidates that zxing-cpp saw but could not read, ``sighted``. If it read one code, saw no other and there
    is no room for one, that is all. Then the quad locator sees the picture at larger and larger sizes, until it has
    seen codes somewhat smaller than the smallest one found, and at last its negative, unless exactly one was found.
    """
    sighted = read_crowd(climb, sighted)
    plain = tuple(climb.found)
    if sighted:
        yield from _survey(climb, "zxing-cpp", sighted, may_be_striped=True)
    elif _is_filled(climb):
        return
    if beside := _touching(climb, plain):
        yield from _survey(climb, "touching", beside)
    for size, inverted in _looks(climb):
        surveys_before, found_before = len(climb.surveys), len(climb.found)
        for name, close in _seen_closely(climb, size, inverted=inverted):
            yield from _survey(climb, name, close)
            if _is_filled(climb):
                return
        if climb.is_beside and len(climb.found) == found_before and _is_fooled(climb, surveys_before):
            break


def surveys_of_rest(climb: Climb, sighted: Sequence[Candidate]) -> Iterator[Survey]:
    """Surveys of a picture whose read codes are painted over: of what zxing-cpp saw, ``sighted``; by the quad locator
    of the negative, if nothing was read there; then the further ones. The quad locator has searched the picture
    itself."""
    yield from _survey(climb, "zxing-cpp", sighted, may_be_striped=True)
    if not climb.found:
        for name, close in _seen_closely(climb, min(max(climb.image.shape), _INVERTED_SIZE), inverted=True):
            yield from _survey(climb, name, close)
            if _is_filled(climb):
                return
    yield from further_surveys(climb)


def _seen_closely(climb: Climb, size: int, *, inverted: bool) -> Iterator[tuple[str, list[Candidate]]]:
    """Yields the name of one look of the quad locator with candidates of it that were looked at closely: the best one
    alone if it stands out, then the others."""
    name = f"quad locator at {size} px{', inverted' if inverted else ''}"
    for candidates in _by_rank(_glance(climb, size, inverted=inverted)):
        with climb.timed(LOCATE):
            unread = [one for one in candidates if not climb.holds(one.corners)]
            close = climb.tools.windows.look_closer(climb.levels, unread, inverted=inverted)
            least = climb.gates.score_beside if climb.is_beside else climb.gates.score
            close = [one for one in close if one.score >= least]
        climb.is_steep = climb.is_steep or any(
            elongation(one.corners) >= _STEEP and not _is_striped(climb, one) for one in close
        )
        yield name, close


def further_surveys(climb: Climb) -> Iterator[Survey]:
    """Surveys of other locators: where nothing was read, the slower ones only if something hints at a code; all of them
    if the effort is thorough."""
    for locator in _others(climb):
        with climb.timed(LOCATE):
            if locator in (climb.tools.evened, climb.tools.stretched):  # networks belong to the thread of the climb
                candidates = locator.locate(climb.image)
            else:
                candidates = climb.scan(locator.locate, climb.image) or []
            is_even = locator is climb.tools.evened
            shows_faint = is_even and any(is_faint(climb.image, one.corners) for one in candidates)
        climb.shows_evened = climb.shows_evened or shows_faint
        yield from _survey(climb, type(locator).__name__, candidates, may_be_striped=shows_faint)


def _by_stripes(climb: Climb, candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
    """Candidates that show no lines of text or bars, with the best ones that do; and the others that do."""
    striped = [one for one in candidates if _is_striped(climb, one)]
    left = striped[_MOST_STRIPED:]
    return [one for one in candidates if one not in left], left


def _is_striped(climb: Climb, candidate: Candidate) -> bool:
    """Whether a candidate shows lines of text or bars."""
    if climb.is_thorough:
        return False
    level = climb.levels.showing(side_length(candidate.corners))
    return 1 - stripes(level.picture, candidate.corners.scaled(level.factor)) < climb.gates.unstriped


def _fits_no_version(climb: Climb) -> bool:
    """Whether the quad locator was sure of a code to whose outline no version fits: a code in steep perspective may be
    there, of which it saw a part."""
    hypotheses = (one for _, all_of_survey in climb.surveys for one in all_of_survey)
    return any(one.refusal == NO_VERSION and one.candidate.score >= _SURE for one in hypotheses)


def _is_fooled(climb: Climb, before: int) -> bool:
    """Whether a look that read nothing, and made the surveys from number ``before`` on, took a texture for many codes:
    at finer looks, which cost most, it would take more of it."""
    looked = climb.surveys[before:]
    tried = sum(len({one.rank for one in hypotheses}) for survey, hypotheses in looked if not survey.is_second)
    regions = (one.region or one.twin for _, hypotheses in looked for one in hypotheses)
    agreements = (region.registration.agreement for region in regions if region)
    return tried >= _FOOLED and max(agreements, default=0.0) < climb.gates.credible


def _by_rank(rough: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    """The best candidate alone if it stands out, since most pictures show one code; then the others."""
    if len(rough) > 1 and rough[0].score >= rough[1].score + _OUTSTANDING:
        yield rough[:1]
        yield rough[1:]
    else:
        yield rough


def _glance(climb: Climb, size: int, *, inverted: bool) -> list[Candidate]:
    """Rough candidates at a size, best first, less those that are read by then."""
    with climb.timed(LOCATE):
        covered = [one.symbol.corners for one in climb.found]
        suspicion = 0.0 if climb.is_thorough or size <= _USUAL_SIZE else climb.gates.suspicion
        rough = climb.tools.windows.glance(climb.levels, size, covered=covered, inverted=inverted, suspicion=suspicion)
        least = climb.gates.rough if size < _FINE_SIZE else climb.gates.rough_in_fine
        rough = [one for one in rough if one.score >= least and not climb.holds(one.corners)]
    return read_crowd(climb, rough)


def _others(climb: Climb) -> Iterator[Locator]:
    """The locators to ask after the quad locator; what was found by then decides."""
    tools = climb.tools
    is_steep = climb.is_steep or _fits_no_version(climb)
    if climb.original:
        yield from () if climb.found else tools.locators
        return
    for locator in (tools.evened, *tools.locators):
        if climb.is_thorough or not climb.found:
            yield locator
    is_hopeful = any(
        place.agreement >= climb.gates.hope and not _is_striped(climb, place.candidate) for place in climb.places
    )
    if climb.is_thorough or (not climb.found and (is_steep or is_hopeful)):
        yield tools.stretched
    if climb.is_thorough or (not climb.found and (is_hopeful or shows_finder_patterns(climb.image))):
        yield from tools.slow_locators


def _survey(
    climb: Climb, name: str, candidates: Sequence[Candidate], *, may_be_striped: bool = False
) -> Iterator[Survey]:
    """Yields a survey of these candidates, then a second one of better corners for those that registration may have
    misplaced, by their finder patterns; it may be empty. While codes are read, surveys of what touches them follow.

    Of candidates that show lines of text or bars only the best are registered, and the others if one of these is
    credible: padding makes some codes striped, too. All of them are if they ``may_be_striped``, as codes on streaked
    metal are.
    """
    before, found = len(climb.places), len(climb.found)
    with climb.timed(LOCATE):
        candidates, others = (candidates, []) if may_be_striped else _by_stripes(climb, candidates)
    yield Survey(name, candidates)
    is_credible = any(one.agreement >= climb.gates.credible for one in climb.places[before:])
    may_be_striped = may_be_striped or is_credible or len(climb.found) > found
    if others and may_be_striped:
        yield Survey(name, others)
    better: list[Candidate] = []
    with climb.timed(LOCATE):
        doubtful = [
            place for place in climb.places[before:] if _is_doubtful(climb, place) and not climb.holds(place.corners)
        ]
        for place in doubtful if climb.is_thorough else doubtful[:_MOST_REALIGNED]:
            if climb.is_over:
                break
            better += realign_by_finders(climb.image, place.candidate, limit=_REALIGNED, least=_LEAST_REALIGNED)
            if place.agreement >= _NEARLY:
                better.append(place.candidate)
            if place.agreement >= _CUT_OFF and (whole := completed(place.candidate, climb.image.shape)):
                better.append(whole)
        better = better if may_be_striped else _by_stripes(climb, better)[0]
    yield Survey(f"{name}, realigned", better, is_second=True)
    while found < len(climb.found) and not climb.is_over:
        beside = _touching(climb, climb.found[found:])
        found = len(climb.found)
        if beside:
            yield Survey(f"{name}, touching", beside)


def _touching(climb: Climb, reads: Sequence[Found]) -> list[Candidate]:
    """Candidates beside codes for others that touch them, which engines and locators miss for want of a quiet zone."""
    return [one for read in reads for one in _beside(climb, read)]


def _beside(climb: Climb, found: Found) -> Iterator[Candidate]:
    corners, version = found.symbol.corners, found.symbol.version
    if found.symbol.symbology != "QRCode":
        return
    if version is None:  # ZBar does not state it
        regions = (region for place in climb.places for region in place.regions)
        version = next((region.version for region in regions if region.corners.overlap(corners) >= _SAME), None)
    yield from touching(climb.image, corners, None if version is None else dimension(version))


def _is_doubtful(climb: Climb, place: Place) -> bool:
    """Whether a place that is not read may be a code whose corners are wrong."""
    if side_length(place.candidate.corners) < _LEAST_REALIGNED_SIDE:
        return False
    least = climb.gates.realigned_beside if climb.is_beside else climb.gates.realigned
    return place.candidate.score >= least or place.agreement >= _DOUBTFUL


def _is_filled(climb: Climb) -> bool:
    """Whether the picture shows one code and has no room beside it for another of its size with its quiet zones or, if
    something touches the code, for one of a quarter of its size; nor shows a smaller square of texture there."""
    if climb.is_thorough or len(climb.found) != 1:
        return False
    corners = climb.found[0].symbol.corners
    left, top, right, bottom = corners.bounds
    height, width = climb.image.shape
    room = float(max(left, top, width - right, height - bottom) / side_length(corners))
    if room >= _ROOM or room < _LEAST_ROOM:
        return room < _LEAST_ROOM
    if room < _BARE_ROOM:
        picture = Quad.of(oblong(width, height))
        beside = touching(climb.image, corners, None, is_close=True)
        touches = any(one.corners.share_inside(picture) >= _LEAST_ROOM for one in beside)
    else:
        touches = any(touching(climb.image, corners, None))
    return not (touches or shows_square_beside(climb.image, [corners]))


def _looks(climb: Climb) -> Iterator[tuple[int, bool]]:
    """Each size at which the quad locator is asked, and whether it looks for inverted codes: at last it does, unless
    the picture showed one code only."""
    size = 0
    for size in _sizes(climb):
        before = len(climb.found)
        yield size, False
        if _has_seen_all(climb, size, before):
            break
    if climb.is_thorough:
        yield size, True
    elif len(climb.found) >= _SEVERAL:
        yield min(size, _size_showing(climb, _EASILY)), True
    elif not climb.found:
        yield min(size, _INVERTED_SIZE), True


def _has_seen_all(climb: Climb, size: int, before: int) -> bool:
    """Whether a picture of many codes showed no more of them at a size at which those ``before`` could be seen."""
    if climb.is_thorough or before < _MANY or size < _BETWEEN or len(climb.found) > before:
        return False
    return bool(_EASILY * LEAST_SIDE * max(climb.image.shape) / size <= _smallest(climb))


def _sizes(climb: Climb) -> Iterator[int]:
    """The sizes at which the quad locator is worth asking; what was found by then decides on the next."""
    longest, previous = max(climb.image.shape), 0
    for largest in _SIZES:
        size = largest
        if previous and longest < _LARGER * previous:
            return
        if climb.found and not climb.is_thorough:
            if len(climb.found) == 1 and _size_showing(climb, _EASILY) <= _USUAL_SIZE:
                if previous >= _USUAL_SIZE:
                    return
                if previous or _smallest(climb) >= _LARGE * longest:
                    size = _USUAL_SIZE
            elif previous:
                needed = _size_showing(climb, _SMALLER)
                if needed <= previous and previous >= _USUAL_SIZE:
                    return
                size = min(size, max(needed, _USUAL_SIZE, round(_LARGER * previous)))
        if size == _BETWEEN and len(climb.found) < _SEVERAL:
            continue
        if size > _LARGEST_UNPROMPTED and not (climb.found or climb.is_thorough):
            return
        previous = min(size, _SIZES[-1])
        yield previous


def _size_showing(climb: Climb, times: float) -> int:
    """The size at which the smallest code found has so many times the least side that the locator sees."""
    return int(times * LEAST_SIDE * max(climb.image.shape) / _smallest(climb))


def _smallest(climb: Climb) -> float:
    """Side of the smallest code found, in pixels."""
    return min(side_length(found.symbol.corners) for found in climb.found)
