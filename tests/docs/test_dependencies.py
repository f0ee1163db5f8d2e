"""Each runtime dependency has its reason on the page that lists them, and the page lists nothing that is not there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    declared = {re.split(r"[<>=;\[ ]", requirement)[0] for requirement in requirements}
    page = (ROOT / "docs/reference/dependencies.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|$", page, re.MULTILINE)
    assert {name for name, _ in rows} == declared
    assert all(len(reason.strip()) > 20 for _, reason in rows)


def test_the_lock_file_names_public_packages_only() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    sources = {package["source"].get("registry", "this project") for package in lock["package"]}
    assert sources == {"https://pypi.org/simple", "this project"}
