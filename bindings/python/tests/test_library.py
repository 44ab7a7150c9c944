"""A library that is missing, foreign or of another version is refused at import, with the cure."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bartizan import library_version
from conftest import skip

INCLUDE = Path(__file__).resolve().parents[3] / "include"


def import_with(library: str) -> str:
    """The last line that an import prints when it fails."""
    environment = {**os.environ, "BARTIZAN_LIBRARY": library}
    done = subprocess.run([sys.executable, "-c", "import bartizan"], env=environment, capture_output=True, text=True)
    assert done.returncode == 1, "the import succeeded"
    return done.stderr.strip().splitlines()[-1]


def test_a_missing_library_is_told_with_the_cure() -> None:
    said = import_with("/nonexistent/libbartizan.so")
    assert said.startswith("bartizan._errors.LibraryError: cannot load /nonexistent/libbartizan.so")
    assert "Install a wheel" in said and "BARTIZAN_LIBRARY" in said


def test_a_foreign_library_is_refused() -> None:
    said = import_with("libc.so.6")
    assert "libc.so.6 is not a libbartizan" in said and "BARTIZAN_LIBRARY" in said


@pytest.mark.parametrize(
    ("version", "status_of_init", "expected"),
    [
        (0x10001, 0, "serves ABI 1.1, this package needs 0."),
        (0x00000, 0, "serves ABI 0.0, this package needs 0."),
        (0x0FFFF, -3, "does not know btz_"),
    ],
)
def test_a_library_of_another_abi_is_refused(tmp_path: Path, version: int, status_of_init: int, expected: str) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        skip("no C compiler to make a library of another ABI with")
        return
    header = re.sub(r"/\*.*?\*/", "", (INCLUDE / "bartizan.h").read_text(encoding="utf-8"), flags=re.DOTALL)
    names = set(re.findall(r"\b(btz_\w+)\s*\([^;{]*\)\s*;", header)) - {"btz_abi_version"}
    body = "".join(
        f"int {name}(void) {{ return {status_of_init if name.endswith('_init') else 0}; }}\n" for name in names
    )
    source, library = tmp_path / "other.c", tmp_path / "libother.so"
    source.write_text(f"unsigned btz_abi_version(void) {{ return {version}u; }}\n{body}", encoding="utf-8")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    assert expected in import_with(str(library))


def test_the_version_is_told() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", library_version())
