"""Variables from the process and from `.env`, with their origin. Knows no provider and converts nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from parley.contract.errors import ConfigurationError, FieldProblem

MAX_DOTENV_BYTES = 1024 * 1024
_BLANK = re.compile(r"[^\S\n]*(?:#|\n|$)")
_ASSIGNMENT = re.compile(
    r"""[^\S\n]*(?:export[^\S\n]+)?([A-Za-z_][A-Za-z0-9_.]*)[^\S\n]*=[^\S\n]*"""
    r"""(?:(?:'([^']*)'|"((?:[^"\\]|\\.)*)")[^\S\n]*(?=\n|$|#)|([^\n]*))""",
    re.DOTALL,
)
_COMMENT = re.compile(r"(?:^|\s)#")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$"}


class Found(Struct, frozen=True):
    """A value and where it is from ("environment variable ACME_API_KEY"); the origin may be shown, the value may not."""

    value: str
    variable: str
    origin: str

    def __repr__(self) -> str:
        return f"Found({self.variable!r}, {self.origin!r})"


class Environment:
    """The process's variables over those of `.env`. An empty or blank value counts as not set."""

    def __init__(self, variables: Mapping[str, str], dotenv: Mapping[str, str] | None = None, *, dotenv_path: Path | None = None) -> None:
        self._variables = variables
        self._dotenv = dotenv or {}
        self.dotenv_path = dotenv_path

    @classmethod
    def read(cls, *, directory: Path | None = None, variables: Mapping[str, str] | None = None) -> Environment:
        """The given variables (default: the process's) over `.env` of the directory (default: the working directory)."""
        path = (directory or Path.cwd()) / ".env"
        real = os.environ if variables is None else variables
        if not path.is_file():
            return cls(real)
        return cls(real, parse_dotenv(_text_of(path), path=path), dotenv_path=path)

    def find(self, names: Iterable[str]) -> Found | None:
        """The first of these names that is set, all in the process before any in `.env`."""
        candidates = list(names)
        for name in candidates:
            if value := _set_value(self._variables.get(name)):
                return Found(value, name, f"environment variable {name}")
        for name in candidates:
            if value := _set_value(self._dotenv.get(name)):
                return Found(value, name, f"{name} in .env")
        return None

    def get(self, name: str) -> str | None:
        """The value of one variable, None where it is not set."""
        found = self.find([name])
        return found.value if found else None

    def without(self, names: Iterable[str]) -> Environment:
        """The same, as if these were not set."""
        hidden = set(names)
        variables, dotenv = ({name: kept[name] for name in kept if name not in hidden} for kept in (self._variables, self._dotenv))
        return Environment(variables, dotenv, dotenv_path=self.dotenv_path)

    def names(self) -> list[str]:
        """Every variable that is set."""
        names = {**self._dotenv, **self._variables}
        return sorted(name for name in names if self.find([name]))


def _set_value(value: str | None) -> str | None:
    return value if value and not value.isspace() else None


def _text_of(path: Path) -> str:
    try:
        data = path.read_bytes()[: MAX_DOTENV_BYTES + 1]
        if len(data) > MAX_DOTENV_BYTES:
            raise _unreadable(path, f"it is larger than {MAX_DOTENV_BYTES} bytes; a .env file holds lines of NAME=value")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise _unreadable(path, f"it cannot be read ({error.strerror}); check its permissions") from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, "it is not UTF-8 text; save it as UTF-8") from error


def _unreadable(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(f"{path}: {reason}", fields=[FieldProblem(path=str(path), message=reason)])


def parse_dotenv(text: str, *, path: Path | str = ".env") -> dict[str, str]:
    """The variables of a `.env` file; every malformed line is reported at once, by its number and without its value.

    `NAME=value`, `export NAME=value`, `#` comments (after a bare value only with a space before), 'single quotes' verbatim,
    "double quotes" with \\n \\r \\t \\" \\\\ \\$; quoted values may span lines. Nothing is interpolated. The last assignment counts.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    values: dict[str, str] = {}
    problems: list[FieldProblem] = []
    position, line_number = 0, 1
    while position < len(text):
        end = _line_end(text, position)
        if assignment := _ASSIGNMENT.match(text, position):
            name, single, double, bare = assignment.groups()
            if bare is None:
                end = _line_end(text, assignment.end())
            elif bare[:1] in {"'", '"'}:
                problems.append(_problem(path, line_number, f"{name}: the quoted value does not end, or text follows its end"))
            values[name] = _value(single, double, bare)
        elif not _BLANK.match(text, position):
            problems.append(_problem(path, line_number, "is not NAME=value; for example ACME_API_KEY=ak-…"))
        line_number += text.count("\n", position, end) + 1
        position = end + 1
    if problems:
        listed = "".join(f"\n  {problem.path}: {problem.message}" for problem in problems)
        raise ConfigurationError(f"the .env file cannot be used:{listed}", fields=problems)
    return values


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _value(single: str | None, double: str | None, bare: str | None) -> str:
    if single is not None:
        return single
    if double is not None:
        return _ESCAPED.sub(lambda escape: _ESCAPES.get(escape[1], escape[0]), double)
    return _COMMENT.split(bare or "", maxsplit=1)[0].rstrip()


def _problem(path: Path | str, line_number: int, message: str) -> FieldProblem:
    return FieldProblem(path=f"{path}:{line_number}", message=message)
