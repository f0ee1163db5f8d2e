"""Where added models lie: one folder of GGUF files, each under the name it is asked for by. Knows no network and runs nothing."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from msgspec import Struct

from parley.contract.errors import ConfigurationError, FieldProblem, InvalidRequestError
from parley.local.gguf import ModelFile, read_model_file
from parley.local.memory import Memory

FOLDER = "models"
SUFFIX = ".gguf"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# Beside the file itself: the context, and what the server needs to compute.
_WORKING_BYTES = 256 * 1024 * 1024


class StoredModel(Struct, frozen=True, kw_only=True):
    """A model that was added; `file` says what it is, `problem` why it cannot be used."""

    name: str
    path: Path
    size_bytes: int
    file: ModelFile = ModelFile()
    problem: str = ""


class ModelStore:
    """The models under a data directory. Holds nothing: what lies there is looked up each time."""

    def __init__(self, data_directory: Path) -> None:
        self.directory = data_directory.expanduser() / FOLDER

    def names(self) -> list[str]:
        """What was added, in alphabetical order."""
        return sorted(path.name.removesuffix(SUFFIX) for path in self.directory.glob(f"*{SUFFIX}") if path.is_file())

    def list(self) -> list[StoredModel]:
        """Every model with what it says of itself."""
        return [self._described(name) for name in self.names()]

    def find(self, name: str) -> Path | None:
        """The file of a model that was added."""
        path = self.directory / f"{name}{SUFFIX}"
        return path if NAME.fullmatch(name) and path.is_file() else None

    def path_for(self, name: str) -> Path:
        """Where a new model of this name goes. Raises InvalidRequestError for a name that is none or taken."""
        if not NAME.fullmatch(name):
            raise _bad_name(name, "must be letters, digits, dots, - and _, beginning with a letter or digit, at most 100 characters")
        if self.find(name) is not None:
            raise _bad_name(name, "is taken; remove that model first, or choose another name (--name)")
        self.directory.mkdir(parents=True, exist_ok=True)
        return self.directory / f"{name}{SUFFIX}"

    def add(self, source: Path, name: str) -> Path:
        """Take in a file: linked where it lies on the same disk, else copied. Raises ConfigurationError where there is no room."""
        target = self.path_for(name)
        try:
            os.link(source, target, follow_symlinks=True)
        except OSError:  # another disk, or one without links
            self._copy(source, target)
        return target

    def remove(self, name: str) -> None:
        """Forget a model and delete its file. Raises InvalidRequestError where there is none of this name."""
        path = self.find(name)
        if path is None:
            known = ", ".join(self.names()) or "none was added"
            raise _bad_name(name, f"was not added (known: {known})")
        path.unlink()

    def check_room(self, size_bytes: int) -> None:
        """Raise ConfigurationError where the disk has no room for that much."""
        self.directory.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(self.directory).free
        if free_bytes < size_bytes:
            problem = f"the disk of {self.directory} has {shown_bytes(free_bytes)} left, and {shown_bytes(size_bytes)} are needed"
            raise ConfigurationError(problem, fields=[FieldProblem(path="PARLEY_DATA_DIR", message=problem)])

    def _copy(self, source: Path, target: Path) -> None:
        self.check_room(source.stat().st_size)
        unfinished = target.with_name(f"{target.name}.copy")
        try:
            shutil.copyfile(source, unfinished)
            unfinished.replace(target)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise ConfigurationError(f"{source.name} cannot be copied to {self.directory}: {error.strerror}") from error

    def _described(self, name: str) -> StoredModel:
        path = self.directory / f"{name}{SUFFIX}"
        size_bytes = path.stat().st_size
        try:
            return StoredModel(name=name, path=path, size_bytes=size_bytes, file=read_model_file(path))
        except ConfigurationError as error:
            return StoredModel(name=name, path=path, size_bytes=size_bytes, problem=error.message)


def name_of(file_name: str) -> str:
    """The name that a file suggests: its own, without suffix and without what no name may have."""
    stem = re.sub(r"\.gguf$", "", file_name, flags=re.IGNORECASE)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:100]


def memory_problem(size_bytes: int, memory: Memory) -> str:
    """Why a model of this size cannot run here; empty where it can, or where that is not known."""
    needed = size_bytes + _WORKING_BYTES
    if memory.total_bytes and needed > memory.total_bytes:
        return f"it needs about {shown_bytes(needed)} of memory, and this machine has {shown_bytes(memory.total_bytes)}"
    return ""


def memory_warning(size_bytes: int, memory: Memory) -> str:
    """What to know of memory before it is started now; empty where there is enough."""
    needed = size_bytes + _WORKING_BYTES
    if memory.available_bytes and needed > memory.available_bytes:
        return f"it needs about {shown_bytes(needed)} of memory, and {shown_bytes(memory.available_bytes)} are free now"
    return ""


def shown_bytes(count: int) -> str:
    """A number of bytes as people say it."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def _bad_name(name: str, problem: str) -> InvalidRequestError:
    return InvalidRequestError(f"the model name {name!r} {problem}", fields=[FieldProblem(path="name", message=problem)])
