"""A handler that reports what its process has imported. It imports no more than the service's children do."""

import sys
from collections.abc import Callable
from typing import Any

from app.workers.blueprint import Blueprint
from app.workers.process import Infer


def names_of_modules(blueprint: Blueprint, infer: Infer) -> Callable[[Any], Any]:
    """Does jobs as the service's children do; answers the number of codes and the names of all imported modules."""
    do = blueprint.handler(infer)
    return lambda job: (len(do(job).codes), sorted(sys.modules))
