"""The contract as a test class: an author derives from it, names a provider, and gets each rule as a test. Knows pytest, and no rule."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from parley.testing.plugin import ADVICE, RULE
from parley.testing.rules import RULES, Rule, look, rules_for
from parley.testing.subject import Subject, subject_of


class ProviderContract:
    """Derive from it and name what is tested; every rule of the contract is then a test of that class.

    ```python
    class TestAcme(ProviderContract):
        provider = "acme"  # or a Dialect, a class, a FILE, "package.module:object"
        recordings = "more"  # files or folders, beside the test file; left out: what `parley provider record` saved
    ```
    `wire` names the shipped wire that a class speaks which does its own HTTP. `everything` looks at the rules of a shipped wire
    again. A test is skipped, with what it needs, where something cannot be observed.
    """

    provider: Any = None
    recordings: Path | str | Sequence[Path | str] = ()
    wire: str | None = None
    everything: bool = False
    pytestmark: ClassVar[list[pytest.MarkDecorator]] = [pytest.mark.contract]
    _subject: ClassVar[Subject | None] = None

    @classmethod
    def subject(cls) -> Subject:
        """The provider under test, made once for each class. Fails the test that asks, where it cannot be made."""
        if cls.__dict__.get("_subject") is None:
            if cls.provider is None:
                pytest.fail(f"{cls.__name__} names no provider; set `provider`", pytrace=False)
            try:
                given = cls._beside(cls.provider)
                cls._subject = subject_of(given, recordings=cls._recordings(), wire=cls.wire, beside=cls._folder())
            except Exception as error:  # noqa: BLE001 - whatever it is, the author is told
                pytest.fail(f"{cls.provider!r} cannot be tested: {error}", pytrace=False)
        subject = cls._subject
        assert subject is not None  # noqa: S101 - set just above
        return subject

    @classmethod
    def _recordings(cls) -> list[Path]:
        given = [cls.recordings] if isinstance(cls.recordings, (str, Path)) else list(cls.recordings)
        return [cls._folder() / place for place in given]

    @classmethod
    def _beside(cls, given: Any) -> Any:
        """A file's relative name means the one beside the class, where there is one."""
        place = cls._folder() / given if isinstance(given, Path) or (isinstance(given, str) and given.endswith(".py")) else None
        return place if place is not None and place.is_file() else given

    @classmethod
    def _folder(cls) -> Path:
        """Where the class stands."""
        source = getattr(sys.modules.get(cls.__module__), "__file__", None)
        return Path(source).parent if source else Path.cwd()


def _test_of(rule: Rule) -> Callable[[ProviderContract, Callable[[str, Any], None]], None]:
    def test(self: ProviderContract, record_property: Callable[[str, Any], None]) -> None:
        subject = self.subject()
        record_property(RULE, subject.name)
        if rule not in rules_for(subject, everything=self.everything):
            pytest.skip(f"the wire {subject.known.wire} ships with Parley, which tests it (`everything = True` does so here as well)")
        found = asyncio.run(look(rule, subject))
        for finding in found:
            if finding.verdict == "advice":
                record_property(ADVICE, str(finding))
        if failures := [str(finding) for finding in found if finding.verdict == "failed"]:
            pytest.fail("\n".join(failures), pytrace=False)
        missing = [finding.evidence for finding in found if finding.verdict == "not_run"]
        if missing and len(missing) == len(found):
            pytest.skip(f"not run; it needs {'; '.join(missing)}")

    test.__name__ = test.__qualname__ = f"test_{rule.name}"
    test.__doc__ = rule.look.__doc__
    return test


for _rule in RULES:
    setattr(ProviderContract, f"test_{_rule.name}", _test_of(_rule))
