"""Exported networks: ONNX files that compute what the checkpoints beside them compute, and need no torch.

A graph holds no copy of the weights: its tensors are stretches of the checkpoint's own file, so that weights have one
source. What a graph states of itself ties it to that file: the fingerprint of the weights, and where they begin.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from app.errors import InvalidCheckpoint
from app.models.contract import Card, Kind
from app.models.header import data_start, file_fingerprint, file_of, name_of, read_header

SUFFIX: Final = ".onnx"
INT8_SUFFIX: Final = ".int8.onnx"
FINGERPRINT_KEY: Final = "fingerprint"
"""Key of an exported file's statement of the fingerprint of the checkpoint that it was made from."""
START_KEY: Final = "weights_begin"
"""Key of its statement of the byte at which the checkpoint's tensors begin, if it refers to them."""

_METADATA_FIELD: Final = 14  # metadata_props of onnx.ModelProto, each a key in field 1 and a value in field 2
_LONGEST_NUMBER: Final = 10  # bytes of a number in a protocol buffer


def exported_file(folder: Path, name: str, *, int8: bool = False) -> Path:
    """Path of the ONNX file that a checkpoint was exported to; with ``int8``, of the 8-bit one if it exists."""
    quantised = folder / f"{name}{INT8_SUFFIX}"
    return quantised if int8 and quantised.exists() else folder / f"{name}{SUFFIX}"


def export_command(path: Path, name: str) -> str:
    """The command that writes an exported file anew."""
    return f"make it with `python -m training.release.export {name} --weights {path.parent} --out {path.parent}`"


def check_export(path: Path, name: str, *, fingerprint: str) -> None:
    """Raises InvalidCheckpoint for an exported file that is missing or damaged, or does not fit the checkpoint ``name``
    of this fingerprint and its file beside it."""
    stated = statements(path, name)
    if stated.get(FINGERPRINT_KEY) != fingerprint:
        raise InvalidCheckpoint(path, f"it was made from other weights than {name}'s; {export_command(path, name)}")
    weights = file_of(path.parent, name)
    if START_KEY in stated and not (weights.is_file() and stated[START_KEY] == str(data_start(weights))):
        reason = f"the weights in {weights.name} are not where it looks for them"
        raise InvalidCheckpoint(path, f"{reason}; {export_command(path, name)}")


def read_card(path: Path, export: Path) -> Card:
    """The card of the checkpoint in the file ``path``, as its header and its exported file state it.

    Raises InvalidCheckpoint for either file, and for an export that does not belong to the checkpoint.
    """
    header, name = read_header(path), name_of(path)
    check_export(export, name, fingerprint=file_fingerprint(path))
    stated = statements(export, name)
    try:
        return Card(
            name=name,
            architecture=header.architecture,
            kind=Kind(stated["kind"]),
            scale=int(stated["scale"]),
            size_multiple=int(stated["size_multiple"]),
            parameters=int(stated["parameters"]),
            config=header.config,
            provenance=header.provenance,
            measured=header.measured,
        )
    except (LookupError, ValueError) as error:
        reason = f"it does not state kind, scale and size of the network; {export_command(export, name)}"
        raise InvalidCheckpoint(export, reason) from error


def statements(path: Path, name: str) -> Mapping[str, str]:
    """What an exported file states of itself, without its graph. Raises InvalidCheckpoint."""
    if not path.is_file():
        raise InvalidCheckpoint(path, f"it does not exist; {export_command(path, name)}")
    stated = {}
    try:
        for field, value in _fields(memoryview(path.read_bytes())):
            if field == _METADATA_FIELD:
                entry = {key: str(text, "utf-8") for key, text in _fields(value)}
                stated[entry[1]] = entry.get(2, "")
    except (LookupError, ValueError) as error:
        raise damaged(path, name) from error
    return stated


def damaged(path: Path, name: str) -> InvalidCheckpoint:
    """The refusal of a file that is no complete ONNX file."""
    return InvalidCheckpoint(path, f"it is not a complete ONNX file; {export_command(path, name)}")


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yields number and content of each field of a protocol buffer message that holds bytes; skips numbers.

    Raises ValueError for a message that is cut short.
    """
    at = 0
    while at < len(message):
        tag, at = _number(message, at)
        match tag & 7:
            case 0:
                _, at = _number(message, at)
            case 1:
                at += 8
            case 2:
                size, at = _number(message, at)
                if at + size > len(message):
                    raise ValueError("the message is cut short")
                yield tag >> 3, message[at : at + size]
                at += size
            case 5:
                at += 4
            case _:
                raise ValueError("no such type of field")


def _number(message: memoryview, at: int) -> tuple[int, int]:
    """The number of variable length at a position, and the position after it. Raises ValueError."""
    value = 0
    for place in range(_LONGEST_NUMBER):
        if at + place >= len(message):
            break
        byte = message[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("the number is cut short")
