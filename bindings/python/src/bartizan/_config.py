"""Configurations: what an agent can be made from, and a checked one as a value."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ctypes import byref, c_char, c_size_t, c_uint8, c_uint64, c_void_p
from dataclasses import dataclass
from typing import Any

from bartizan._abi import BTZ_ABI_VERSION, btz_options
from bartizan._errors import ConfigError
from bartizan._library import LIBRARY, ErrorText, check


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that was checked, with every default written out."""

    toml: str
    fingerprint: str
    """SHA-256 in hex: equal configurations have equal fingerprints."""
    memory_bytes: int
    """What an agent with this configuration sets aside when it is made. Unused pages cost address space only."""

    @classmethod
    def load(cls, source: ConfigSource = None) -> Config:
        """Checks a configuration without making an agent. ConfigError names line, mistake and cure."""
        with open_config(source) as handle:
            needed, memory, digest = c_size_t(), c_uint64(), (c_uint8 * 32)()
            check(LIBRARY.btz_config_to_toml(handle, None, 0, byref(needed)))
            text = (c_char * needed.value)()
            check(LIBRARY.btz_config_to_toml(handle, text, needed.value, byref(needed)))
            check(LIBRARY.btz_config_memory(handle, byref(memory)))
            check(LIBRARY.btz_config_fingerprint(handle, digest))
            return cls(text.value.decode(), bytes(digest).hex(), memory.value)


ConfigSource = None | str | os.PathLike[str] | Mapping[str, Any] | Config
"""None: the defaults. str: TOML text. Path: a file, and the drop-ins beside it. Mapping: as the TOML would parse."""


@contextmanager
def open_config(source: ConfigSource) -> Iterator[c_void_p]:
    """A configuration of the library's, for as long as the block runs."""
    handle = _make(source)
    try:
        yield handle
    finally:
        LIBRARY.btz_config_free(handle)


def history_ticks(handle: c_void_p) -> int:
    """The ticks that an agent with this configuration keeps."""
    options = btz_options(struct_size=ctypes.sizeof(btz_options))
    check(LIBRARY.btz_config_options(handle, byref(options)))
    return int(options.history_ticks)


def _make(source: ConfigSource) -> c_void_p:
    handle, error = c_void_p(), ErrorText()
    if source is None:
        error.check(LIBRARY.btz_config_new(BTZ_ABI_VERSION, byref(handle), error.pointer))
        return handle
    if isinstance(source, os.PathLike):
        path = os.fsencode(source)
        call = LIBRARY.btz_config_from_file
        error.check(call(BTZ_ABI_VERSION, path, len(path), byref(handle), error.pointer))
        return handle
    toml = _toml_of(source)
    encoded = toml.encode()
    call = LIBRARY.btz_config_from_toml
    status = call(BTZ_ABI_VERSION, encoded, len(encoded), byref(handle), error.pointer)
    try:
        error.check(status)
    except ConfigError as failed:
        failed.toml = toml
        raise
    return handle


def _toml_of(source: str | Mapping[str, Any] | Config) -> str:
    if isinstance(source, Config):
        return source.toml
    if isinstance(source, Mapping):
        return "".join(f"{line}\n" for line in _lines(source, ()))
    if not isinstance(source, str):
        raise TypeError(f"a configuration is None, a str, a path, a mapping or a Config, not {type(source).__name__}")
    if source.strip() and not any(mark in source for mark in "=[#\n"):
        raise ConfigError(f"{source!r} is no TOML; if it is the name of a file, pass pathlib.Path({source!r})")
    return source


def _lines(table: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[str]:
    """One line per leaf, so that the line in a message leads to the mistake."""
    for key, value in table.items():
        path = (*above, _quoted(key))
        if isinstance(value, Mapping):
            yield from _lines(value, path)
        else:
            yield f"{'.'.join(path)} = {_inline(value, path)}"


def _inline(value: object, path: tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, os.PathLike):
        return _quoted(os.fspath(value))
    if isinstance(value, Mapping):
        pairs = (f"{_quoted(key)} = {_inline(inner, (*path, str(key)))}" for key, inner in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_inline(inner, path) for inner in value) + "]"
    raise ConfigError(f"{'.'.join(path)}: TOML has nothing for {type(value).__name__}")


def _quoted(text: object) -> str:
    """A TOML basic string: JSON's escapes are a part of TOML's, once DEL is escaped too."""
    if not isinstance(text, str):
        raise ConfigError(f"{text!r}: a key or text of a configuration must be a str")
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
