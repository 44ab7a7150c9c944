"""Finds libbartizan.so, and refuses one that this package was not made for.

In this order: what BARTIZAN_LIBRARY names; the library inside the wheel; the system's libbartizan.so.0.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import CDLL, byref
from pathlib import Path

from bartizan import _abi
from bartizan._abi import BTZ_ABI_MAJOR, BTZ_ABI_MINOR, SIZES, Status, btz_error
from bartizan._errors import LibraryError, failure

_SYSTEM = "libbartizan.so.0"
_ENVIRONMENT = "BARTIZAN_LIBRARY"


def load() -> CDLL:
    """The library, checked. LibraryError says what to do."""
    path = _path()
    try:
        library = CDLL(path)
    except OSError as error:
        raise LibraryError(
            f"cannot load {path}: {error}. Install a wheel of bartizan (it carries the library), install libbartizan "
            f"so that the loader finds {_SYSTEM}, or set {_ENVIRONMENT} to the full path of libbartizan.so"
        ) from error
    try:
        _abi.declare(library)
    except AttributeError as error:
        raise LibraryError(f"{path} is not a libbartizan of ABI {_wanted()}: {error}. {_cure()}") from error
    _check_version(library, path)
    _check_sizes(library, path)
    return library


def _path() -> str:
    named = os.environ.get(_ENVIRONMENT)
    if named:
        return named
    beside = Path(__file__).with_name("libbartizan.so")
    return str(beside) if beside.exists() else _SYSTEM


def _wanted() -> str:
    return f"{BTZ_ABI_MAJOR}.{BTZ_ABI_MINOR}"


def _cure() -> str:
    return f"Install the same version of both, or unset {_ENVIRONMENT} to use the library inside the wheel"


def _check_version(library: CDLL, path: str) -> None:
    major, minor = divmod(library.btz_abi_version(), 1 << 16)
    if major != BTZ_ABI_MAJOR or minor < BTZ_ABI_MINOR:
        raise LibraryError(
            f"{path} serves ABI {major}.{minor}, this package needs {_wanted()} or a higher minor. {_cure()}",
            Status.ABI,
        )


def _check_sizes(library: CDLL, path: str) -> None:
    """Python's idea of each struct, C's idea of it, and the loaded library's must be one."""
    for struct, size in SIZES.items():
        if ctypes.sizeof(struct) != size:
            raise LibraryError(
                f"{struct.__name__} has {ctypes.sizeof(struct)} bytes in this Python and {size} in C: wheels are for "
                "64-bit Linux",
                Status.SIZE,
            )
        init = getattr(library, struct.__name__ + "_init", None)
        if init is not None and init(byref(struct()), size) != Status.OK:
            raise LibraryError(f"{path} does not know {struct.__name__} with {size} bytes. {_cure()}", Status.SIZE)


LIBRARY = load()


def check(status: int) -> None:
    """Raises what a negative status stands for."""
    if status < 0:
        raise failure(status)


class ErrorText:
    """Room for the library's message: hand ``pointer`` to a call, its status to ``check``."""

    __slots__ = ("_error", "pointer")

    def __init__(self) -> None:
        """An empty one."""
        self._error = btz_error()
        self._error.struct_size = ctypes.sizeof(btz_error)
        self.pointer = byref(self._error)

    @property
    def told(self) -> bool:
        """Whether the call left a message."""
        return bool(self._error.message)

    def check(self, status: int) -> None:
        """Raises what a negative status stands for, with the message."""
        if status < 0:
            raise failure(status, self._error.message.decode("utf-8", "replace"))


def library_version() -> str:
    """The version of the loaded library, such as "0.1.0"."""
    text: bytes = LIBRARY.btz_version()
    return text.decode()
