"""`qrestore serve`: the HTTP service."""

import argparse

from app import main
from app.cli.configuration import read_settings
from app.cli.terminal import SUCCESS


def run(arguments: argparse.Namespace) -> int:
    """Serves until a signal to stop. Raises InvalidConfiguration and what `app.main.serve` raises."""
    main.serve(read_settings(host=arguments.host, port=arguments.port))
    return SUCCESS
