"""The generated files are what the headers say, and ctypes sees what the compiler of the library sees."""

from __future__ import annotations

import ctypes
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bartizan import Metric, Scope, Severity, Status, _abi

HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent.parent / "include"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_abi", HERE.parent / "generate_abi.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["generate_abi"] = module
    spec.loader.exec_module(module)
    return module


def test_the_generated_files_are_those_of_the_headers(generator: ModuleType) -> None:
    for path, text in generator.generate().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} differs: run bindings/python/generate_abi.py"


def test_every_field_is_where_the_library_puts_it() -> None:
    struct = ""
    fields: dict[str, dict[str, tuple[int, int]]] = {}
    sizes = {}
    for line in (INCLUDE / "bartizan.layout").read_text(encoding="utf-8").splitlines():
        if head := re.fullmatch(r"struct (\w+) size=(\d+) align=\d+", line):
            struct = head[1]
            sizes[struct], fields[struct] = int(head[2]), {}
        elif member := re.fullmatch(r"  (\w+) offset=(\d+) size=(\d+)", line):
            fields[struct][member[1]] = (int(member[2]), int(member[3]))
        else:
            assert line.startswith("#"), line
    assert len(fields) > 10
    mine = {kind.__name__: kind for kind in _abi.SIZES}
    assert set(mine) == set(fields)
    for name, kind in mine.items():
        assert ctypes.sizeof(kind) == sizes[name], name
        seen = {field[0]: getattr(kind, field[0]) for field in kind._fields_}
        assert {field: (at.offset, at.size) for field, at in seen.items()} == fields[name], name


def test_every_function_of_the_header_is_declared_but_the_one_with_a_callback() -> None:
    header = re.sub(r"/\*.*?\*/", "", (INCLUDE / "bartizan.h").read_text(encoding="utf-8"), flags=re.DOTALL)
    functions = set(re.findall(r"\b(btz_\w+)\s*\([^;{]*\)\s*;", header))
    declared = set(re.findall(r"library\.(btz_\w+)\.restype", Path(_abi.__file__).read_text(encoding="utf-8")))
    assert len(declared) > 40
    assert functions - declared == {"btz_log_set"}
    assert declared <= functions


def test_numbers_are_those_of_the_abi() -> None:
    assert (Status.OK, Status.NULL, Status.FORKED) == (0, -1, -7)
    assert Severity.INFO < Severity.WARNING < Severity.CRITICAL
    assert Metric.HOST_CPU_USER.value == 1000
    assert all(metric.scope == Scope(metric // 1000) for metric in Metric)
    assert len(Metric) >= 250


def test_a_number_of_a_newer_library_is_no_error() -> None:
    unknown = Severity(200)
    assert unknown == 200 and unknown.name == "UNKNOWN_200" and isinstance(unknown, Severity)
    with pytest.raises(ValueError):
        Severity("high")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "typedef union { int a; } btz_odd;",
        "typedef struct btz_odd { uint128_t wide; } btz_odd;",
        "typedef struct btz_odd { uint32_t bits : 3; } btz_odd;",
        "btz_status btz_unfinished(void)",
    ],
)
def test_the_generator_refuses_what_it_cannot_read(generator: ModuleType, text: str) -> None:
    with pytest.raises(generator.HeaderError):
        generator.parse(text)


def test_the_generator_lays_out_as_c_does(generator: ModuleType) -> None:
    text = """
    /* Says why. Since: 0.1 */
    #define BTZ_ROOM 3
    #define BTZ_ENTITY_HOST (((btz_entity)1u << 56) | BTZ_ROOM)
    typedef struct btz_inner { uint8_t a; uint64_t b; } btz_inner;
    typedef struct btz_outer { uint8_t a[BTZ_ROOM]; btz_inner b; uint16_t c; } btz_outer;
    """
    header = generator.parse(text)
    assert header.constants["BTZ_ROOM"] == (3, "Says why. Since: 0.1")
    assert header.constants["BTZ_ENTITY_HOST"][0] == (1 << 56) + 3
    outer = header.structs["btz_outer"]
    assert (outer.size, outer.alignment) == (32, 8)
