"""A handler that tells what its process has imported. Imports no more than the service's own children do."""

import sys
from collections.abc import Callable
from typing import Any

from app.workers.blueprint import Blueprint
from app.workers.process import Infer


def names_of_modules(blueprint: Blueprint, infer: Infer) -> Callable[[Any], Any]:
    """Does jobs as the service's children do, and answers how many codes were read and what is imported by then."""
    do = blueprint.handler(infer)
    return lambda job: (len(do(job).codes), sorted(sys.modules))
