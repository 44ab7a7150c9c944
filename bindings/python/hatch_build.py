"""Makes the wheel carry the native library.

ctypes needs no compiled extension, so one wheel serves every CPython 3: the tag is ``py3-none-<platform>``, which
hatchling would not choose by itself.
"""

import os
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeLibraryHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the library that ``BARTIZAN_BUILD_LIBRARY`` names."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Hatchling calls this before it writes the wheel."""
        if version == "editable":
            return
        library = Path(os.environ.get("BARTIZAN_BUILD_LIBRARY", ""))
        if not library.is_file():
            raise RuntimeError(
                "BARTIZAN_BUILD_LIBRARY must name the built libbartizan.so; `make wheel` builds it and sets this"
            )
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["force_include"][str(library)] = "bartizan/libbartizan.so"
