"""What pytest is told of the kit: its marker, a server for the author's own tests, and a line that counts the rules. Knows no rule."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from parley.testing.recordings import Recording
    from parley.testing.replay import Answer, ReplayServer

RULE, ADVICE = "contract_rule", "contract_advice"
"""The properties of a test report by which a rule's test is known, and what it advises."""


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker by which `-m contract` selects."""
    config.addinivalue_line("markers", "contract: the contract's rules over a provider")


@pytest.fixture
def provider_server() -> Generator[Callable[..., ReplayServer]]:
    """A function from recordings (or Answers) to a server that gives them, for tests without a loop of their own too.

    ```python
    def test_acme(provider_server):
        server = provider_server(Answer(body=b"{}"))
        acme = load_provider("acme", api_key="k", endpoint=server.url)
    ```
    """
    with ExitStack() as servers:
        yield lambda *answers: servers.enter_context(_running(answers))


@contextmanager
def _running(answers: tuple[Recording | Answer, ...]) -> Generator[ReplayServer]:
    """The server on a loop in a thread of its own."""
    from parley.testing.replay import ReplayServer

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="provider-server", daemon=True)
    thread.start()
    server = ReplayServer(*answers)
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
        yield server
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """`contract: 41 passed, 3 not run, 2 advice`, and the advice."""
    words = {"passed": "passed", "failed": "failed", "skipped": "not run"}
    counts: dict[str, int] = {}
    advice: list[str] = []
    for outcome in words:
        for report in terminalreporter.stats.get(outcome, []):
            properties: list[tuple[str, object]] = getattr(report, "user_properties", [])
            tested = [str(value) for name, value in properties if name == RULE]
            if tested:
                counts[outcome] = counts.get(outcome, 0) + 1
                advice += [f"{tested[0]}: {value}" for name, value in properties if name == ADVICE]
    if counts:
        said = [f"{counts[outcome]} {word}" for outcome, word in words.items() if outcome in counts]
        terminalreporter.write_line(f"contract: {', '.join(said)}{f', {len(advice)} advice' if advice else ''}")
        for line in advice:
            terminalreporter.write_line(f"  ○ {line}")
