from collections.abc import Collection, Sequence

import numpy as np
import pytest
import zxingcpp

from app.pipeline.qrcode.attempt import STAGES
from app.pipeline.qrcode.codewords import PADDING, assemble, blocks
from app.pipeline.qrcode.evidence import evidence
from app.pipeline.qrcode.log_odds import LogOdds, rank_formats
from app.pipeline.qrcode.occlusion import leave_out_patches
from app.pipeline.qrcode.patterns import format_positions, format_word, function_patterns, mask_pattern, render, zigzag
from app.pipeline.qrcode.soft import MARGIN, SoftRead, SoftRefusal, decode_soft, try_soft
from tests.support.codes import Modules, encode, scrambled
from tests.support.timing import least_seconds

ADDRESS = "https://example.org/a?id=90210"


def noisy(modules: Modules, amplitude: float, *, seed: int = 0) -> LogOdds:
    """Log-odds of modules of plus or minus ``amplitude`` under Gaussian noise of deviation 1."""
    noise = np.random.default_rng(seed).standard_normal(modules.shape)
    return (2 * amplitude * (np.where(modules, amplitude, -amplitude) + noise)).astype(np.float32)


def clear(modules: Modules) -> LogOdds:
    return np.where(modules, 6, -6).astype(np.float32)


def reads(symbols: list[tuple[Modules, int]], amplitude: float, stages: Collection[str]) -> int:
    """How many symbols are read, after a check that every read is right."""
    count = 0
    for seed, (modules, version) in enumerate(symbols):
        read = decode_soft(noisy(modules, amplitude, seed=seed), version, stages=stages)
        assert read is None or np.array_equal(read.modules, modules)
        count += read is not None
    return count


@pytest.mark.parametrize(("version", "level"), [(1, "l"), (2, "q"), (5, "h"), (7, "m"), (14, "q"), (40, "l")])
def test_a_clear_symbol_is_read_as_it_is(version: int, level: str) -> None:
    modules = encode("CLEAR 7" if version < 3 else ADDRESS, version=version, error=level, mask=3)
    read = decode_soft(clear(modules), version)
    assert read is not None
    assert np.array_equal(read.modules, modules)
    assert (read.level, read.mask, read.corrected_modules, read.flips, read.method) == (level.upper(), 3, 0, 0, "hard")
    assert read.confidence >= MARGIN


def test_corrections_are_counted_and_the_corrected_symbol_decodes() -> None:
    modules = encode(ADDRESS, version=3, error="m")
    log_odds = clear(modules)
    rows, columns = zigzag(3)
    log_odds[rows[:60:10], columns[:60:10]] *= -1
    log_odds[0, :3] *= -1  # a finder pattern
    read = decode_soft(log_odds, 3)
    assert read is not None
    assert (read.corrected_modules, read.flips) == (9, 6)
    assert zxingcpp.read_barcodes(render(read.modules, pixels=4))[0].text == ADDRESS


@pytest.mark.parametrize(
    ("amplitude", "least", "most"),
    [(1.9, (0, 1, 12, 12), (8, 12, 12, 12)), (1.5, (0, 0, 5, 9), (0, 0, 12, 12)), (1.3, (0, 0, 0, 5), (0, 0, 4, 12))],
)
def test_every_stage_reads_more_than_the_one_before(
    amplitude: float, least: tuple[int, ...], most: tuple[int, ...]
) -> None:
    symbols = [(encode(ADDRESS[:24] + str(i), version=3, error="m", mask=i % 8), 3) for i in range(12)]
    rates = [reads(symbols, amplitude, STAGES[: stage + 1]) for stage in range(len(STAGES))]
    assert rates == sorted(rates)
    assert all(low <= rate <= high for low, rate, high in zip(least, rates, most, strict=True)), rates


def test_a_smudge_of_known_place_takes_more_than_hard_decisions_can() -> None:
    """A tenth more codewords than the code can correct are grey, and up to two are plainly wrong."""
    modules = encode(ADDRESS, version=4, error="q")
    rows, columns = zigzag(4)
    log_odds = clear(modules)
    grey = np.arange(0, 8 * 30)
    log_odds[rows[grey], columns[grey]] = 0.2 * np.random.default_rng(1).standard_normal(len(grey))
    log_odds[rows[400:408], columns[400:408]] *= -1
    log_odds[rows[560:568], columns[560:568]] *= -1
    assert decode_soft(log_odds, 4, stages=("hard",)) is None
    read = decode_soft(log_odds, 4, stages=("hard", "erasures"))
    assert read is not None
    assert read.method == "erasures"
    assert np.array_equal(read.modules, modules)


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_log_odds_need_not_be_calibrated(scale: float) -> None:
    modules = encode(ADDRESS, version=3, error="l")
    read = decode_soft(np.float32(scale) * noisy(modules, 1.75, seed=4), 3)
    assert read is not None
    assert np.array_equal(read.modules, modules)
    assert read.method == "statistics"


def test_the_second_best_format_is_tried_when_it_is_close() -> None:
    modules = encode(ADDRESS, version=3, error="m", mask=2)
    log_odds = clear(modules)
    rows, columns = format_positions(3)
    truth, other = format_word("M", 2), format_word("M", 3)
    leaning = np.flatnonzero(truth != other)[:-1]  # one bit fewer than tells them apart speaks for it
    word = truth.copy()
    word[leaning] = other[leaning]
    log_odds[rows, columns] = np.where(word, 1, -1)
    log_odds[rows[0], columns[0]] = np.where(truth, 0.7, -0.7)
    assert rank_formats(log_odds, 3)[0].mask == 3
    read = decode_soft(log_odds, 3)
    assert read is not None
    assert (read.level, read.mask) == ("M", 2)
    assert np.array_equal(read.modules, modules)


def lose_format(log_odds: LogOdds, how: str, version: int, *, seed: int = 0) -> None:
    """Overwrites both copies of the format information."""
    at = format_positions(version)
    signs = {"nothing": 0, "light": -1, "dark": 1}.get(how)
    word = np.random.default_rng((seed, 77)).choice([-1, 1], (2, 15)) if signs is None else signs
    log_odds[at] = 6 * word


@pytest.mark.parametrize("how", ["nothing", "light", "dark", "random"])
@pytest.mark.parametrize(("version", "level"), [(1, "m"), (2, "q"), (3, "l"), (5, "h"), (7, "m"), (14, "q")])
def test_a_lost_format_is_found_by_the_codewords(how: str, version: int, level: str) -> None:
    mask = 5
    modules = encode("CLEAR 7" if version < 3 else ADDRESS, version=version, error=level, mask=mask)
    log_odds = noisy(modules, 2.3, seed=version)
    lose_format(log_odds, how, version, seed=1)
    read = decode_soft(log_odds, version)
    assert read is not None
    assert (read.level, read.mask) == (level.upper(), mask)
    assert np.array_equal(read.modules, modules)


def test_a_lost_format_is_not_looked_for_unless_the_search_is_allowed() -> None:
    log_odds = noisy(encode(ADDRESS, version=3, error="l", mask=5), 2.3, seed=3)
    assert isinstance(try_soft(log_odds, 3, may_search=False), SoftRead)
    lose_format(log_odds, "nothing", 3)
    assert isinstance(try_soft(log_odds, 3), SoftRead)
    assert isinstance(try_soft(log_odds, 3, may_search=False), SoftRefusal)


def test_a_lost_format_costs_hardly_a_read() -> None:
    """At a noise that one symbol in three does not survive."""
    symbols = [(encode(ADDRESS[:24] + str(i), version=3, error="m", mask=i % 8), 3) for i in range(20)]
    with_format = without = 0
    for seed, (modules, version) in enumerate(symbols):
        log_odds = noisy(modules, 1.35, seed=seed)
        with_format += decode_soft(log_odds, version) is not None
        lose_format(log_odds, "nothing", version)
        read = decode_soft(log_odds, version)
        assert read is None or np.array_equal(read.modules, modules)
        without += read is not None
    assert 5 <= with_format <= 19
    assert without >= with_format - 2


def test_a_mirrored_symbol_is_not_searched_for_a_format() -> None:
    """Its format is readable in its mirror image, which is where it is read."""
    log_odds = np.ascontiguousarray(clear(scrambled(encode(ADDRESS, version=3, error="m", mask=0))).T)
    refusal = try_soft(log_odds, 3)
    assert isinstance(refusal, SoftRefusal)
    assert refusal.reason.count("format information too far") + refusal.reason.count("not enough evidence") <= 2


@pytest.mark.parametrize("level", ["m", "q", "h"])
def test_the_level_of_a_lost_format_is_the_one_that_was_written(level: str) -> None:
    """In versions of one block, the codewords of a level are codewords of the lower ones, too."""
    modules = encode("NEST", version=1, error=level, mask=4)
    log_odds = clear(modules)
    log_odds[format_positions(1)] = np.where(format_word("L", 4), 6, -6)
    log_odds[format_positions(1)[0][0], format_positions(1)[1][0]] *= np.where(np.arange(15) % 3, 1, -1)
    rows, columns = format_positions(1)
    log_odds[rows[1, :2], columns[1, :2]] *= -1
    read = decode_soft(log_odds, 1)
    assert read is not None
    assert read.level == level.upper()
    assert np.array_equal(read.modules, modules)


def test_a_valid_codeword_that_is_no_message_is_refused() -> None:
    data = np.random.default_rng(0).integers(0, 256, blocks(2, "M").data_codewords, dtype=np.uint8)
    data[0] = 0x60  # a mode that there is not
    assert decode_soft(clear(assemble(data, 2, "M", 4)), 2) is None


def padded(message: str, version: int, level: str, padding: Sequence[int], *, mask: int = 2) -> Modules:
    """A symbol of these bits, filled with this padding."""
    plain = message.replace(" ", "")
    plain += "0" * (-len(plain) % 8)
    data = [int(plain[i : i + 8], 2) for i in range(0, len(plain), 8)]
    total = blocks(version, level).data_codewords
    return assemble(np.array((data + list(padding) * total)[:total], dtype=np.uint8), version, level, mask)


TEXT = "0100 00001000" + "".join(f"{byte:08b}" for byte in b"PADDED-1") + "0000"
EVERY_MODE = {
    "hanzi": "1101 0001 00000010 0101010010011 0001011001001 0000",
    "kanji": "1000 00000010 0110110011111 1101010101010 0000",
    "eci and byte": "0111 00011010 0100 00000010 1100001110100100 0000",
    "eci and kanji": "0111 00010100 1000 00000001 0110110011111 0000",
    "gs1": "0101 0010 000000100 00001001001 00001001001 0000",
    "application": "1001 10100101 0001 0000000001 0001 0000",
    "structured append": "0011 0001 0010 10101010 0100 00000010 0100000101000010 0000",
    "empty segment": "0001 0000000000 0100 00000010 0100000101000010 0000",
    "empty hanzi": "1101 0001 00000000 0100 00000010 0100000101000010 0000",
    "three modes": "0001 0000000010 1100011 0010 000000001 101100 1101 0001 00000001 0101010010011 0000",
}


@pytest.mark.parametrize("padding", [(0x00,), (0xEC,), (0xFF,), (0x11, 0xEC), (0x5A, 0xC3, 0x99, 0x07, 0xB1)])
@pytest.mark.parametrize("stages", [("hard",), STAGES])
def test_any_padding_is_accepted_on_the_strength_of_the_code(padding: tuple[int, ...], stages: Sequence[str]) -> None:
    modules = padded(TEXT, 2, "M", padding)
    read = decode_soft(clear(modules) if stages == ("hard",) else noisy(modules, 1.7, seed=5), 2, stages=stages)
    assert read is not None
    assert np.array_equal(read.modules, modules)


@pytest.mark.parametrize("padding", [PADDING, (0x00,), (0xEC,), (0xFF,)])
def test_a_padding_that_is_known_earns_evidence(padding: tuple[int, ...]) -> None:
    """At a noise at which few symbols are read without a hypothesis on their padding."""
    symbols = [(padded(TEXT, 2, "M", padding, mask=i % 8), 2) for i in range(12)]
    without = reads(symbols, 1.25, ("hard", "erasures", "statistics"))
    assert reads(symbols, 1.25, STAGES) >= without + 5


@pytest.mark.parametrize("message", EVERY_MODE.values(), ids=EVERY_MODE)
def test_every_mode_is_read_as_zxing_reads_the_clean_symbol(message: str) -> None:
    modules = padded(message, 2, "M", PADDING)
    read = decode_soft(noisy(modules, 1.8, seed=6), 2)
    assert read is not None
    (clean,) = zxingcpp.read_barcodes(render(modules, pixels=4))
    (corrected,) = zxingcpp.read_barcodes(render(read.modules, pixels=4))
    assert (corrected.bytes, corrected.text, corrected.symbology_identifier) == (
        clean.bytes,
        clean.text,
        clean.symbology_identifier,
    )
    assert clean.bytes


def block_of(share: float, size: int, seed: int) -> tuple[slice, slice]:
    """A square somewhere in the symbol that covers this share of it."""
    side = round(size * share**0.5)
    top, left = np.random.default_rng(seed).integers(0, size - side + 1, 2)
    return np.s_[top : top + side, left : left + side]


@pytest.mark.parametrize(("level", "share"), [("l", 0.08), ("m", 0.18), ("q", 0.27), ("h", 0.33)])
@pytest.mark.parametrize("tone", [0, -6, 6])
def test_a_block_that_hides_what_the_code_can_make_up_for_is_read(level: str, share: float, tone: int) -> None:
    """Unknown, or taken for dark or light modules: twice what hard decisions can correct."""
    hard = 0
    for seed in range(5):
        modules = encode(ADDRESS, version=6, error=level, mask=seed)
        log_odds = clear(modules)
        log_odds[block_of(share, 41, seed)] = tone
        read = decode_soft(log_odds, 6)
        assert read is not None, seed
        assert np.array_equal(read.modules, modules)
        hard += decode_soft(np.where(log_odds == 0, np.float32(1), log_odds), 6, stages=("hard",)) is not None
    assert hard <= 2


def test_modules_that_a_patch_hides_count_as_corrected() -> None:
    modules = encode(ADDRESS, version=6, error="h", mask=1)
    log_odds = clear(modules)
    log_odds[15:25, 15:25] = 6
    read = decode_soft(log_odds, 6)
    assert read is not None
    assert read.corrected_modules == (modules != (log_odds > 0)).sum() > 30


def test_modules_of_one_tone_may_be_right_after_all() -> None:
    """Data and a fixed mask may make up an area of one tone, larger than erasures could make up for."""
    rows, columns = zigzag(5)
    bits = np.random.default_rng(9).random(8 * 108) < 0.5
    bits[:12] = [int(bit) for bit in "0100" + f"{106:08b}"]
    inside = (rows[:864] >= 10) & (rows[:864] < 26) & (columns[:864] >= 20) & (columns[:864] < 36)
    inside[:12] = inside[-4:] = False
    bits[-4:] = False
    bits = np.where(inside, ~mask_pattern(5, 0)[rows[:864], columns[:864]], bits)
    modules = assemble(np.packbits(bits), 5, "L", 0)
    assert leave_out_patches(clear(modules)) is not None
    read = decode_soft(clear(modules), 5)
    assert read is not None
    assert np.array_equal(read.modules, modules)
    assert (read.method, read.flips) == ("hard", 0)


def test_random_codewords_under_right_patterns_are_refused() -> None:
    modules = encode(ADDRESS, version=2, error="l")
    for seed in range(25):
        assert decode_soft(noisy(scrambled(modules, seed=seed), 3, seed=seed), 2) is None


def test_a_message_with_a_lost_beginning_is_not_made_up() -> None:
    """Clearly visible padding is no evidence for the text before it."""
    modules = encode("HTTP", version=5, error="l", mask=1)
    rows, columns = zigzag(5)
    for seed in range(20):
        log_odds = clear(modules)
        rng = np.random.default_rng(seed)
        lost = np.arange(16, 48)  # the text
        log_odds[rows[lost], columns[lost]] = rng.normal(0, 3, len(lost))
        log_odds[rows[108 * 8 :], columns[108 * 8 :]] = rng.normal(0, 3, len(rows) - 108 * 8)  # and every check symbol
        read = decode_soft(log_odds, 5)
        assert read is None


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_noise_is_refused_at_once(scale: float) -> None:
    log_odds = (scale * np.random.default_rng(2).standard_normal((57, 57))).astype(np.float32)
    assert decode_soft(log_odds, 10) is None
    assert least_seconds(lambda: decode_soft(log_odds, 10)) < 0.02


def test_symbols_without_any_evidence_are_refused() -> None:
    modules = encode(ADDRESS, version=3)
    blank = np.where(function_patterns(3).known, clear(modules), 0).astype(np.float32)
    assert decode_soft(blank, 3) is None
    assert decode_soft(np.full(modules.shape, np.nan, dtype=np.float32), 3) is None
    assert decode_soft(np.zeros(modules.shape, dtype=np.float32), 3) is None


def far_format() -> LogOdds:
    log_odds = clear(scrambled(encode(ADDRESS, version=2, error="l", mask=2)))
    rows, columns = format_positions(2)
    log_odds[rows[:, 2::3], columns[:, 2::3]] *= -1
    return log_odds


@pytest.mark.parametrize(
    ("log_odds", "reason"),
    [
        (np.zeros((25, 25), dtype=np.float32), "log-odds say nothing"),
        (-clear(encode(ADDRESS, version=2, error="l")), "function patterns do not agree"),
        (far_format(), "format information too far: distance 5 "),
        (clear(scrambled(encode(ADDRESS, version=2, error="l"))), "not enough evidence (level L, mask"),
        (clear(assemble(np.full(28, 0x60, dtype=np.uint8), 2, "M", 4)), "not as a message (level M, mask 4)"),
    ],
    ids=["nothing", "patterns", "format", "evidence", "message"],
)
def test_a_refusal_has_its_reason(log_odds: LogOdds, reason: str) -> None:
    refusal = try_soft(log_odds, 2)
    assert isinstance(refusal, SoftRefusal)
    assert reason in refusal.reason


def test_evidence_that_is_missing_is_counted() -> None:
    """One of four blocks is noise."""
    modules = encode(ADDRESS, version=5, error="h", mask=1)
    rows, columns = zigzag(5)
    log_odds = clear(modules)
    lost = np.concatenate([np.arange(8 * i, 8 * i + 8) for i in range(0, 134, 4)])  # interleaved codewords
    log_odds[rows[lost], columns[lost]] = np.random.default_rng(3).normal(0, 3, len(lost))
    refusal = try_soft(log_odds, 5, stages=("hard", "erasures", "statistics"))
    assert isinstance(refusal, SoftRefusal)
    assert "(level H, mask 1): 3 of 4 blocks are read" in refusal.reason
    assert f"{MARGIN:g} are needed" in refusal.reason
    assert isinstance(try_soft(clear(modules), 5), SoftRead)


def test_the_wrong_size_is_an_error() -> None:
    with pytest.raises(ValueError, match="version 2 has 25 modules"):
        decode_soft(np.zeros((21, 21), dtype=np.float32), 2)


def test_the_log_odds_are_not_written_to() -> None:
    log_odds = noisy(encode(ADDRESS, version=3), 1.5)
    log_odds.setflags(write=False)
    before = log_odds.copy()
    decode_soft(log_odds, 3)
    assert np.array_equal(log_odds, before)


def test_evidence_counts_the_bits_that_a_reading_supports() -> None:
    certain = np.full(1000, 20, dtype=np.float32)
    assert 990 < evidence(certain) < 1000
    assert evidence(-certain) < 0
    assert evidence(np.zeros(1000, dtype=np.float32)) == pytest.approx(-np.log2(20))
    half = np.where(np.arange(1000) % 2 == 0, 3, -3).astype(np.float32)
    assert evidence(half) < 0


def test_evidence_of_random_bits_is_as_rare_as_stated() -> None:
    """The mean of the likelihood ratio is at most 1: evidence of 3 bits occurs in at most an eighth of the cases."""
    rng = np.random.default_rng(8)
    seen = np.array(
        [evidence((rng.choice([-1, 1], 60) * rng.exponential(2, 60)).astype(np.float32)) for _ in range(2000)]
    )
    assert (seen > 3).mean() <= 1 / 8
    assert np.exp2(seen).mean() < 1
