"""The exception tree: statuses, categories and details."""

import re
from collections.abc import Iterator

import pytest

from app import errors
from app.errors import InvalidCheckpoint, QrestoreError


def family(root: type[QrestoreError] = QrestoreError) -> Iterator[type[QrestoreError]]:
    yield root
    for child in root.__subclasses__():
        yield from family(child)


@pytest.mark.parametrize("kind", list(family()), ids=lambda kind: kind.__name__)
def test_the_drawing_has_every_error_with_its_status(kind: type[QrestoreError]) -> None:
    drawing = errors.__doc__ or ""
    assert re.search(rf"\b{kind.__name__}\b", drawing)
    drawn = re.search(rf"\b{kind.__name__}\s+(\d{{3}})\s", drawing)
    assert drawn is None or int(drawn[1]) == kind.status


def test_leaves_have_labels_of_their_own() -> None:
    leaves = [kind for kind in family() if not kind.__subclasses__()]
    assert len({kind.category for kind in leaves}) == len(leaves)
    assert all(re.fullmatch("[a-z_]+", kind.category) for kind in family())


def test_detail_defaults_to_the_type_s_own() -> None:
    assert errors.NotReady().detail == errors.NotReady.default_detail
    assert str(errors.NotReady("Shutting down.")) == errors.NotReady("Shutting down.").detail == "Shutting down."


def test_checkpoint_error_names_file_and_reason() -> None:
    error = InvalidCheckpoint("weights/lenet.safetensors", "the header is cut short")
    assert str(error) == "cannot load weights from weights/lenet.safetensors: the header is cut short"
