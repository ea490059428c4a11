"""libqrencode, through its C interface: the system library, not a package."""

import ctypes
from ctypes.util import find_library
from functools import cache

import numpy as np
import pytest

from tests.conformance.encoders.encoder import Encoder, Modules, require
from tests.conformance.wanted import LEVELS, Wanted

_MODES = {"numeric": 0, "alphanumeric": 1, "byte": 2, "kanji": 3}


class _Code(ctypes.Structure):
    _fields_ = (("version", ctypes.c_int), ("width", ctypes.c_int), ("data", ctypes.POINTER(ctypes.c_ubyte)))


class _List(ctypes.Structure):
    pass


_List._fields_ = (("code", ctypes.POINTER(_Code)), ("next", ctypes.POINTER(_List)))


@cache
def _library() -> ctypes.CDLL:
    path = find_library("qrencode")
    if path is None:
        pytest.skip("needs the system library libqrencode: make system-test")
    library = ctypes.CDLL(path)
    for name, result in (
        ("QRinput_new2", ctypes.c_void_p),
        ("QRinput_newMQR", ctypes.c_void_p),
        ("QRinput_Struct_new", ctypes.c_void_p),
        ("QRcode_encodeInput", ctypes.POINTER(_Code)),
        ("QRcode_encodeInputStructured", ctypes.POINTER(_List)),
    ):
        getattr(library, name).restype = result
    return library


class ByQrencode(Encoder):
    name = "qrencode"

    def draw(self, wanted: Wanted) -> Modules:
        require(wanted.family != "RMQRCode", "has no rMQR")
        require(all(part.mode in _MODES for part in wanted.parts), "is told modes, and has no Hanzi mode")
        require(wanted.small_version or wanted.family == "QRCode", "is told the version of a Micro QR code")
        require(wanted.mask is None, "chooses the mask")
        require(wanted.fnc1 != 1, "refuses its own FNC1 in first position")
        require(all((part.eci or 0) < 16384 for part in wanted.parts), "writes ECIs of three bytes into the wrong bits")
        library = _library()
        if wanted.append is None:
            return _modules(library.QRcode_encodeInput(ctypes.c_void_p(_input(library, wanted))).contents)
        return self._draw_appended(library, wanted)

    @staticmethod
    def _draw_appended(library: ctypes.CDLL, wanted: Wanted) -> Modules:
        """The symbol among ``total`` copies of itself that is number ``index``."""
        assert wanted.append
        index, total, parity = wanted.append
        several = ctypes.c_void_p(library.QRinput_Struct_new())
        library.QRinput_Struct_setParity(several, ctypes.c_ubyte(parity))
        for _ in range(total):
            library.QRinput_Struct_appendInput(several, ctypes.c_void_p(_input(library, wanted)))
        library.QRinput_Struct_insertStructuredAppendHeaders(several)
        entry = library.QRcode_encodeInputStructured(several).contents
        for _ in range(index):
            entry = entry.next.contents
        return _modules(entry.code.contents)


def _input(library: ctypes.CDLL, wanted: Wanted) -> int:
    if wanted.small_version:
        made = library.QRinput_newMQR(int(wanted.small_version[1]), LEVELS.index(wanted.level))
    else:
        made = library.QRinput_new2(wanted.version or (2 if wanted.append else 1), LEVELS.index(wanted.level))
    handle = ctypes.c_void_p(made)
    if wanted.fnc1 == 2:
        library.QRinput_setFNC1Second(handle, ctypes.c_ubyte(wanted.application_indicator))
    eci = None
    for part in wanted.parts:
        if part.eci != eci and part.eci is not None:
            library.QRinput_appendECIheader(handle, ctypes.c_uint(part.eci))
            eci = part.eci
        raw = wanted.letters(part).encode() if part.mode == "alphanumeric" else part.payload
        done = library.QRinput_append(handle, _MODES[part.mode], len(raw), raw)
        assert done == 0, f"libqrencode refuses {part}"
    return int(made)


def _modules(code: _Code) -> Modules:
    data = np.ctypeslib.as_array(code.data, shape=(code.width, code.width))
    return (data & 1).astype(np.bool_)
