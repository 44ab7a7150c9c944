"""How calls on an agent are made."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import Structure, byref, c_size_t, c_uint32, create_string_buffer, sizeof
from typing import Any, TypeVar

from bartizan._abi import AgentState, Status
from bartizan._handle import Handle
from bartizan._library import LIBRARY, ErrorText, check

C = TypeVar("C", bound=Structure)


def sized(struct: type[C]) -> C:
    """A struct that says how large it is."""
    return struct(struct_size=sizeof(struct))


class Calls:
    """What the parts of an agent have in common."""

    _handle: Handle

    @property
    def state(self) -> AgentState:
        """IDLE, RUNNING or FAULTED."""
        state = c_uint32()
        with self._handle.entered() as raw:
            check(LIBRARY.btz_agent_state(raw, byref(state)))
        return AgentState(state.value)

    def _do(self, call: Callable[..., int], *arguments: Any) -> None:
        error = ErrorText()
        with self._handle.entered() as raw:
            error.check(call(raw, *arguments, error.pointer))

    def _fill(self, call: Callable[..., int], struct: type[C], *arguments: int) -> C:
        out = sized(struct)
        with self._handle.entered() as raw:
            check(call(raw, *arguments, byref(out)))
        return out

    def _list(self, call: Callable[..., int], struct: type[C], *arguments: int) -> list[C]:
        """Asks until there is room for all: VMs come and go between two calls."""
        room, total = 64, c_size_t()
        while True:
            rows = (struct * room)()
            with self._handle.entered() as raw:
                check(call(raw, *arguments, rows, sizeof(struct), room, byref(total)))
            if total.value <= room:
                return rows[: total.value]
            room = total.value + total.value // 4

    def _text(self, call: Callable[..., int], *arguments: Any) -> str:
        """Asks until there is room: the text may grow between two calls."""
        room, needed = 4096, c_size_t()
        while True:
            buffer = create_string_buffer(room)
            with self._handle.entered() as raw:
                status = call(raw, *arguments, buffer, room, byref(needed))
            if status != Status.BUFFER:
                check(status)
                return buffer.value.decode("utf-8", "replace")
            room = needed.value + needed.value // 4

    def _descriptor(self, call: Callable[..., int]) -> int:
        with self._handle.entered() as raw:
            descriptor = call(raw)
        check(descriptor)
        return descriptor
