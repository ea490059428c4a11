"""What is counted in texts, and the costs that become of it."""

from pathlib import Path

import numpy as np
import pytest

from app.pipeline.payload import plausibility
from training.charsets.kinds import ASCII, NAMES, NUMBERS, SCRIPTS, case_of, kind_of
from training.charsets.tables import Counts, count, make_tables
from training.charsets.texts import HALF_WIDTH, LANGUAGES, weighted_texts


def kind(one: str) -> int:
    return kind_of(ord(one))


def test_kinds_fold_case() -> None:
    assert len(NAMES) == len(set(NAMES))
    assert kind("İ") == kind("I") == kind("i") != kind("\u0131")
    assert kind("É") == kind("é") != kind("e")
    assert kind("Я") == kind("я")
    assert kind(" ") == kind("\n") == 0
    assert {kind(one) for one in "09"} == {NUMBERS["digit"]}
    assert [NAMES[kind(one)] for one in "のノﾉ東한。\uff19\uff21\uff01\x00\x1d㐀"] == [
        *("hiragana", "katakana", "half-width", "han", "hangul", "cjk sign", "wide digit", "wide letter", "wide sign"),
        *("bad", "separator", "rare"),
    ]
    assert {SCRIPTS[kind(one)] for one in "aéłğ"} == {"LATIN"}
    assert [SCRIPTS[kind(one)] for one in "אعกิ"] == ["HEBREW", "ARABIC", "THAI", "THAI"]
    assert kind("é") not in ASCII
    assert [case_of(ord(one)) for one in "aA東\uff21"] == [1, 2, 0, 0]


def test_pairs_and_cases_are_counted_by_weight() -> None:
    counts = count([("東東", 2.0), ("x", 1.0)], HALF_WIDTH)
    han = NUMBERS["han"]
    assert counts.pairs[0, han] == counts.pairs[han, han] == counts.pairs[han, 0] == 2
    assert counts.pairs[0, kind("x")] == pytest.approx(1)
    assert counts.characters[ord("東")] == 4
    assert counts.cases[0, 2] == pytest.approx(0.25)  # capitals and titles


def test_katakana_count_in_half_the_width_too() -> None:
    counts = count([("ガス", 1.0)], HALF_WIDTH)
    assert counts.characters[0xFF76] == counts.characters[0xFF9E] == counts.characters[0xFF7D] > 0


def tables(**texts: list[str]) -> dict[str, np.ndarray]:
    counts: dict[str, Counts] = {name: count([(text, 1.0) for text in each], {}) for name, each in texts.items()}
    return make_tables(counts, {name: LANGUAGES[name].codecs for name in texts})


def test_what_was_seen_costs_less() -> None:
    made = tables(de=["Straße", "grüße"] * 20, ru=["дом", "код"] * 20, ja=["東京"] * 20)
    de, ru, ja, binary = made["pairs"].reshape(-1, len(NAMES), len(NAMES))
    assert de[kind("a"), kind("ß")] < de[kind("b"), kind("ß")]
    assert ru[kind("д"), kind("\u043e")] < ru[kind("д"), kind("к")]
    assert made["characters"][made["sets"][2], ord("東")] < made["characters"][made["sets"][2], ord("薔")]
    assert list(made["sets"]) == [0, 0, 1, 0]
    assert binary[kind("é"), kind("я")] == 8 * made["steps"]
    assert ja[0, NUMBERS["bad"]] == 40 * made["steps"]


def test_letters_of_two_alphabets_and_characters_that_a_charset_has_not_are_dear() -> None:
    made = tables(de=["Straße"], ru=["дом"])
    de, ru, _ = made["pairs"].reshape(-1, len(NAMES), len(NAMES))
    assert de[kind("a"), kind("д")] == 255
    assert ru[kind("д"), kind("a")] >= 20 * made["steps"]


def test_languages_of_rarer_charsets_change_no_other_table() -> None:
    alone = tables(de=["Straße"], ru=["дом"])
    beside = tables(de=["Straße"], ru=["дом"], he=["1 בית", "a"])
    assert (alone["pairs"][:2] == beside["pairs"][:2]).all()


def test_the_shipped_tables_are_made_by_this_code() -> None:
    """In all that does not depend on the texts."""
    with np.load(Path(plausibility.__file__).with_name("plausibility.npz")) as shipped:
        made = tables(**{name: ["a"] for name in LANGUAGES})
        assert set(shipped.files) == set(made)
        for name in ("steps", "languages", "sets"):
            assert (shipped[name] == made[name]).all(), name
        assigned = shipped["kinds"] != NUMBERS["bad"]  # by the Unicode of Python 3.11, which later ones extend
        for name in ("kinds", "cases"):
            assert (shipped[name] == made[name])[assigned].all(), name
        assert {name: shipped[name].shape for name in made} == {name: made[name].shape for name in made}
    assert Path(plausibility.__file__).with_name("plausibility.npz").stat().st_size < 250_000


def test_texts_come_from_catalogues_place_names_and_forms(tmp_path: Path) -> None:
    catalogue = tmp_path / "some" / "locale" / "de" / "LC_MESSAGES" / "some.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text(
        'msgid "x"\nmsgstr ""\n"Größe von %(name)s\\n"\n"ändern"\n\nmsgid "y"\nmsgstr[0] "<b>Straße</b>"\n'
    )
    places = tmp_path / "phonenumbers" / "geodata" / "data0.py"
    places.parent.mkdir(parents=True)
    places.write_text("data = {'4989':{'en': 'Munich', 'de': u('M\\xfcnchen')}, '49221':{'de': 'K\\xf6ln'}}\n")
    texts = dict(weighted_texts("de", tmp_path))
    assert {"Größe von", "ändern", "Straße", "Köln", "1 °C"} <= set(texts)
    assert texts["Größe\xa0von"] < texts["Größe von"] == 1
