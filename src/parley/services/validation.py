"""Checks what people type, every field at once. Never repeats a value: it may be a password in the wrong box."""

from __future__ import annotations

import re

from parley.contract.errors import FieldProblem, InvalidRequestError

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Problems:
    """Collects what is wrong; `refuse` raises it all."""

    def __init__(self) -> None:
        self._found: list[FieldProblem] = []

    def add(self, path: str, message: str) -> None:
        """One more."""
        self._found.append(FieldProblem(path=path, message=message))

    def line(self, path: str, value: object, *, max_characters: int, min_characters: int = 1) -> bool:
        """Whether it is one line of text of a sensible length, without characters that hide or forge others."""
        if not self.text(path, value, max_characters=max_characters, min_characters=min_characters):
            return False
        if isinstance(value, str) and _CONTROL.search(value):
            self.add(path, "holds a control character")
            return False
        return True

    def text(self, path: str, value: object, *, max_characters: int, min_characters: int = 0) -> bool:
        """Whether it is text that can be stored, and neither too short nor too long."""
        if not isinstance(value, str):
            self.add(path, "must be text")
        elif len(value) > max_characters:
            self.add(path, f"must have at most {max_characters} characters")
        elif len(value.strip()) < min_characters:
            self.add(path, f"must have at least {min_characters} characters" if min_characters > 1 else "is missing")
        elif _UNSTORABLE.search(value):
            self.add(path, "holds a character that is no text (NUL or half a surrogate pair)")
        else:
            return True
        return False

    def refuse(self) -> None:
        """Raise InvalidRequestError with everything that was found."""
        if self._found:
            listed = "; ".join(f"{problem.path} {problem.message}" for problem in self._found)
            raise InvalidRequestError(listed, fields=self._found)
