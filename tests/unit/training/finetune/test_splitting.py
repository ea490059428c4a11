"""Photographs are split by group, and a group never straddles."""

import pytest

from training.finetune.folder import HELD_OUT, TRAIN, BadLabels
from training.finetune.labelling import Labelled
from training.finetune.splitting import split


def taken(number: int, *, group: str | None = None, payloads: tuple[str, ...] = ()) -> Labelled:
    return Labelled(f"{number}.png", f"digest {number}", group, list(payloads))


def test_a_group_is_in_one_part_and_the_share_is_about_right() -> None:
    photographs = [taken(number, group=f"g{number // 5}") for number in range(1000)]
    parts = split(photographs, share=0.25, seed=0)
    assert not parts.groups_of(TRAIN) & parts.groups_of(HELD_OUT)
    assert 0.18 < len(parts.of(HELD_OUT)) / 1000 < 0.32


def test_new_groups_do_not_move_old_ones() -> None:
    photographs = [taken(number, group=f"g{number}") for number in range(40)]
    before = split(photographs, share=0.3, seed=4)
    after = split([*photographs, *(taken(number, group=f"g{number}") for number in range(40, 90))], share=0.3, seed=4)
    assert {name: after.parts[name] for name in before.parts} == before.parts
    assert split(photographs, share=0.3, seed=5).parts != before.parts


def test_photographs_of_one_payload_are_one_group() -> None:
    photographs = [taken(number, payloads=(f"{number % 7}",)) for number in range(28)]
    parts = split(photographs, share=0.3, seed=0)
    assert len(set(parts.groups.values())) == 7
    assert parts.shared == 0


def test_a_photograph_of_two_payloads_joins_their_groups() -> None:
    photographs = [taken(0, payloads=("a",)), taken(1, payloads=("a", "b")), taken(2, payloads=("b",)), taken(3)]
    groups = split(photographs, share=0.5, seed=0).groups
    assert groups["0.png"] == groups["1.png"] == groups["2.png"] != groups["3.png"]


def test_a_photograph_without_group_joins_that_of_its_payload() -> None:
    photographs = [taken(0, group="roll 1", payloads=("a",)), taken(1, payloads=("a",)), taken(2, payloads=("b",))]
    groups = split(photographs, share=0.5, seed=0).groups
    assert groups["0.png"] == groups["1.png"] == "group roll 1" != groups["2.png"]


def test_stated_parts_win_and_shared_payloads_are_counted() -> None:
    photographs = [taken(number, payloads=("a",)) for number in range(4)]
    stated = {"0.png": HELD_OUT, "1.png": TRAIN, "2.png": TRAIN, "3.png": TRAIN}
    parts = split(photographs, share=0.5, seed=0, stated=stated)
    assert parts.of(HELD_OUT) == ["0.png"]
    assert parts.shared == 1


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_neither_part_is_empty_if_there_are_two_groups(share: float) -> None:
    parts = split([taken(0, group="a"), taken(1, group="b")], share=share, seed=0)
    assert sorted(parts.parts.values()) == [HELD_OUT, TRAIN]


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(BadLabels, match="two groups at least"):
        split([taken(0, group="a"), taken(1, group="a")], share=0.5, seed=0)
