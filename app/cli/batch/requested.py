"""Options of a command that mean there what they mean in a request."""

import argparse

from pydantic import ValidationError

from app.options import DecodeOptions

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
