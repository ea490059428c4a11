"""Reads the part of the Dockerfile language that this project writes; what it does not know is an error."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

KNOWN: Final = frozenset({"ARG", "CMD", "COPY", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "USER", "WORKDIR"})
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_PAIR: Final = re.compile(r"""(\w+)=("[^"]*"|'[^']*'|\S*)""")


class NotUnderstood(Exception):
    """The Dockerfile says what this reader does not know."""


@dataclass(frozen=True, slots=True)
class Instruction:
    keyword: str
    text: str


@dataclass(slots=True)
class Stage:
    image: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Copy:
    """``stage`` is empty where the sources are of the build context."""

    stage: str
    sources: tuple[str, ...]
    target: str


@dataclass(frozen=True, slots=True)
class Health:
    """How the image is asked whether it is well. Times in seconds."""

    command: tuple[str, ...]
    start_period: float = 0.0
    interval: float = 30.0
    timeout: float = 30.0


def parse(text: str, arguments: Mapping[str, str]) -> list[Stage]:
    """The stages, base images with ``arguments`` and the defaults of ARG filled in."""
    known: dict[str, str] = {}
    stages: list[Stage] = []
    for instruction in _instructions(text):
        if instruction.keyword == "FROM":
            words = expand(instruction.text, known).split()
            if len(words) == 3 and words[1].upper() == "AS":
                stages.append(Stage(words[0], words[2]))
            elif len(words) == 1:
                stages.append(Stage(words[0], str(len(stages))))
            else:
                raise NotUnderstood(f"FROM {instruction.text}")
        elif stages:
            stages[-1].instructions.append(instruction)
        elif instruction.keyword == "ARG":
            name, default = argument(instruction.text)
            known[name] = arguments.get(name, default)
        else:
            raise NotUnderstood(f"{instruction.keyword} before FROM")
    return stages


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        keyword, _, rest = line.strip().partition(" ")
        if keyword.upper() not in KNOWN:
            raise NotUnderstood(f"the instruction {keyword}")
        found.append(Instruction(keyword.upper(), rest.strip()))
    return found


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$NAME` and `${NAME}` replaced; what is not set is empty, as in a Dockerfile."""
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], ""), text)


def argument(text: str) -> tuple[str, str]:
    """(name, default) of an ARG."""
    name, _, default = text.partition("=")
    return name, default.strip("\"'")


def pairs(text: str, variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that an ENV sets; all see those of before."""
    found = {match[1]: expand(match[2].strip("\"'"), variables) for match in _PAIR.finditer(text)}
    if _PAIR.sub("", text).strip() or not found:
        raise NotUnderstood(f"ENV {text}")
    return found


def copying(text: str, variables: Mapping[str, str]) -> Copy:
    stage = ""
    words = expand(text, variables).split()
    while words and words[0].startswith("--"):
        option, _, value = words.pop(0).partition("=")
        if option != "--from":
            raise NotUnderstood(f"COPY {option}")
        stage = value
    if len(words) < 2 or words[0].startswith("["):
        raise NotUnderstood(f"COPY {text}")
    return Copy(stage, tuple(words[:-1]), words[-1])


def command(text: str) -> tuple[str, ...]:
    """The arguments of a CMD, or of a HEALTHCHECK's; both forms."""
    return tuple(json.loads(text)) if text.startswith("[") else ("/bin/sh", "-c", text)


def health(text: str) -> Health:
    options, separator, rest = text.partition("CMD ")
    if not separator:
        raise NotUnderstood(f"HEALTHCHECK {text}")
    times = {name.replace("-", "_"): float(value) for name, value in re.findall(r"--([a-z-]+)=(\d+)s\b", options)}
    times.pop("retries", None)
    return Health(command(rest.strip()), **times)


class Ignore:
    """A .dockerignore: which paths of the context, relative to it, no COPY sees. The last pattern that fits decides."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        self._rules = [
            (_pattern(line.removeprefix("!")), line.startswith("!")) for line in lines if line and line[0] != "#"
        ]

    def hides(self, path: str) -> bool:
        at = PurePosixPath(path)
        names = [str(at), *(str(parent) for parent in at.parents if str(parent) != ".")]
        hidden = False
        for pattern, admits in self._rules:
            if any(pattern.fullmatch(name) for name in names):
                hidden = not admits
        return hidden


def _pattern(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/?|\*|\?)", text.strip("/"))
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(wild.get(part, re.escape(part)) for part in parts))
