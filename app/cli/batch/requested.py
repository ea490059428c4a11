"""What the options of a command ask for: those that a request has, too, and effort and budget."""

import argparse

from pydantic import ValidationError

from app.options import DecodeOptions
from app.pipeline.results import Effort
from app.settings import Settings

_NAMES = ("fuse", "region", "symbologies", "charset", "pages", "frame")


def requested(arguments: argparse.Namespace) -> DecodeOptions:
    """The options of a request that the arguments give. Raises ValidationError."""
    given = {name: getattr(arguments, name, None) for name in _NAMES}
    return DecodeOptions.model_validate({name: value for name, value in given.items() if value is not None})


def fault_of(arguments: argparse.Namespace) -> str:
    """Why these options are not valid, in one line; empty if they are."""
    try:
        requested(arguments)
    except ValidationError as exc:
        error = exc.errors()[0]
        return f"{' '.join(f'--{name}' for name in error['loc'])} {error['msg'].removeprefix('Value error, ')}".lstrip()
    return ""


def effort_of(arguments: argparse.Namespace, settings: Settings) -> Effort:
    """How hard each picture is looked at; as the settings have it where the option is not given."""
    return settings.default_effort if arguments.effort is None else Effort(arguments.effort)


def budget_of(arguments: argparse.Namespace, settings: Settings) -> float:
    """Seconds of work after which the search of a picture ends; as the settings have it without the option."""
    return settings.budget(effort_of(arguments, settings)) if arguments.budget is None else float(arguments.budget)
