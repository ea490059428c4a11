"""Settings for a command: the environment, and the command's own options on top."""

from pydantic import ValidationError

from app.errors import InvalidConfiguration
from app.settings import Settings


def read_settings(**options: object) -> Settings:
    """The settings of a command; options that are None are left to the environment.

    Raises InvalidConfiguration, whose detail has one line for each setting that is not valid.
    """
    try:
        return Settings.model_validate({name: value for name, value in options.items() if value is not None})
    except ValidationError as exc:
        lines = [f"QRESTORE_{'_'.join(map(str, error['loc'])).upper()}: {error['msg']}" for error in exc.errors()]
        raise InvalidConfiguration("\n".join(lines)) from exc
