"""Splits photographs into those to train on and those held out, by group."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.finetune.folder import HELD_OUT, TRAIN, BadLabels
from training.finetune.labelling import Labelled


@dataclass(frozen=True)
class Split:
    """Which photographs belong to which group and part, by name.

    ``shared``: payloads that photographs of both parts show, which stated groups or parts may bring about.
    """

    groups: Mapping[str, str]
    parts: Mapping[str, str]
    shared: int

    def of(self, part: str) -> list[str]:
        """The photographs of a part."""
        return [name for name, own in self.parts.items() if own == part]

    def groups_of(self, part: str) -> set[str]:
        return {self.groups[name] for name in self.of(part)}


def split(
    photographs: Sequence[Labelled],
    *,
    share: float,
    seed: int,
    stated: Mapping[str, str | None] | None = None,
    may_be_empty: bool = False,
) -> Split:
    """Splits photographs, about ``share`` of their groups held out.

    A photograph without a stated group is in the first one with a payload of its own, else in one with every other that
    shows one. Which part a group is in depends on its name and ``seed`` alone, so that new groups do not move old ones;
    only if that leaves a part empty the groups next to the limit change it. ``stated``: the parts that labels state,
    which win. Raises BadLabels if a part stays empty, unless it may.
    """
    groups = _groups(photographs)
    parts = _parts(sorted(set(groups.values())), share=share, seed=seed)
    own = {name: (stated or {}).get(name) or parts[group] for name, group in groups.items()}
    payloads: dict[str, set[str]] = {TRAIN: set(), HELD_OUT: set()}
    for one in photographs:
        payloads[own[one.file]].update(one.payloads)
    for part in (TRAIN, HELD_OUT):
        if part not in own.values() and not may_be_empty:
            raise BadLabels(
                f"no photograph is left for the part {part}: there must be two groups at least (a column group,"
                " folders, or different payloads)"
            )
    return Split(groups, own, len(payloads[TRAIN] & payloads[HELD_OUT]))


def _groups(photographs: Sequence[Labelled]) -> dict[str, str]:
    """The group of each photograph, by name."""
    groups: dict[str, str] = {}
    leaders: dict[str, str] = {}  # payload -> payload, up to the one that names the group

    def leader(payload: str) -> str:
        while leaders.setdefault(payload, payload) != payload:
            payload = leaders[payload]
        return payload

    alone = [one for one in photographs if one.group is None]
    for one in alone:
        for payload in one.payloads[1:]:
            first, other = sorted((leader(one.payloads[0]), leader(payload)))
            leaders[other] = first
    for one in photographs:
        groups[one.file] = f"group {one.group}" if one.group is not None else f"file {one.file}"
    stated: dict[str, str] = {}
    for one in photographs:
        for payload in one.payloads if one.group is not None else ():
            stated.setdefault(leader(payload), groups[one.file])
    for one in alone:
        if one.payloads:
            payload = leader(one.payloads[0])
            groups[one.file] = stated.get(payload, f"payload {payload}")
    return groups


def _parts(groups: Sequence[str], *, share: float, seed: int) -> dict[str, str]:
    places = {group: _place(group, seed) for group in groups}
    parts = {group: HELD_OUT if place < share else TRAIN for group, place in places.items()}
    if len(groups) > 1:
        if HELD_OUT not in parts.values():
            parts[min(groups, key=places.__getitem__)] = HELD_OUT
        if TRAIN not in parts.values():
            parts[max(groups, key=places.__getitem__)] = TRAIN
    return parts


def _place(group: str, seed: int) -> float:
    """In [0, 1), by the name alone."""
    return int.from_bytes(hashlib.sha256(f"{seed} {group}".encode()).digest()[:6]) / 2**48
