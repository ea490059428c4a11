"""Settings for a command: the environment, and the command's own options on top."""

from typing import Any, Final

from pydantic import ValidationError

from app.errors import InvalidConfiguration
from app.settings import PREFIX, Settings, likely_setting

_FOLLOWS: Final = "default_factory_not_called"
"""The kind of error of a default that rests on a setting with an error of its own."""


def read_settings(**options: object) -> Settings:
    """The settings of a command; options that are None are left to the environment.

    Raises InvalidConfiguration, whose detail has one line for each setting that is not valid.
    """
    try:
        return Settings.model_validate({name: value for name, value in options.items() if value is not None})
    except ValidationError as exc:
        errors = [error for error in exc.errors() if error["type"] != _FOLLOWS]
        raise InvalidConfiguration("\n".join(map(_line, errors))) from exc


def _line(error: Any) -> str:
    """One of pydantic's errors, by the variable that it is about."""
    name = "_".join(map(str, error["loc"]))
    if error["type"] != "extra_forbidden":
        return f"{_variable(name)}: {error['msg'].removeprefix('Value error, ')}"
    likely = likely_setting(name)
    hint = f"did you mean {_variable(likely)}?" if likely else "docs/configuration.md lists every setting"
    return f"{_variable(name)} is no setting: {hint}"


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"
