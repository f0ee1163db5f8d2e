"""The suite as an author runs it: pytest in a folder of one's own, with a provider file, its recordings and a class of three lines."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from parley.testing.rules import RULES

from . import mars

DIALECT = """
from parley.provider import Capabilities, Config, Dialect, OpenAIChat


class AcmeConfig(Config):
    model: str = "acme-fast"
    endpoint: str = "https://api.acme.example/v1"


provider = Dialect(name="acme", config=AcmeConfig, wire=OpenAIChat(max_tokens_field="max_tokens"))
"""
LEAKING = """
class Leaking:
    name = "leaking"

    def __init__(self, config):
        self.key = config.api_key

    def __repr__(self):
        return self.key

    async def stream_response(self, on_token, **_):
        on_token("Hi")
"""
TESTS = """
import urllib.request

from parley.testing import Answer, ProviderContract


class TestAcme(ProviderContract):
    provider = "acme.py"


class TestAcmeWhole(ProviderContract):
    provider = "acme.py"
    everything = True


class TestLeaking(ProviderContract):
    provider = "leaking.py"


class TestNobody(ProviderContract):
    provider = "no_such_file.py"


def test_my_own(provider_server):
    server = provider_server(Answer(body=b"hello"))
    with urllib.request.urlopen(server.url) as response:
        assert response.read() == b"hello"
    assert [request.method for request in server.requests] == ["GET"]
"""


def run(folder: Path, *arguments: str, by_entry_point: bool = False) -> str:
    """What pytest prints. Without its other plugins it starts sooner; with them, the kit's own is found by its entry point."""
    plugin = [] if by_entry_point else ["-p", "parley.testing.plugin"]
    environment = os.environ | ({} if by_entry_point else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    command = [sys.executable, "-m", "pytest", *plugin, "-W", "error", "--strict-markers", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("author")
    (place / "acme.py").write_text(DIALECT)
    (place / "leaking.py").write_text(LEAKING)
    (place / "test_providers.py").write_text(TESTS)
    return place


@pytest.fixture(scope="module")
def output(folder: Path) -> str:
    return run(folder, "-q", "-rs", by_entry_point=True)


def test_a_dialect_passes_and_says_what_was_not_looked_at_again(output: str) -> None:
    assert "the wire openai_chat ships with Parley, which tests it" in output
    assert "FAILED test_providers.py::TestAcme" not in output
    assert "FAILED test_providers.py::TestAcmeWhole" not in output
    assert "test_my_own" not in output


def test_what_is_wrong_is_told_with_evidence_and_remedy(output: str) -> None:
    assert re.search(r"redaction: the key is in repr of the author's object.*\n.*write a __repr__ without the key", output)
    assert "conduct: no_on_done: stream_response returned without calling on_done" in output
    assert "'no_such_file.py' cannot be tested: there is no file" in output


def test_the_summary_counts_and_lists_the_advice(output: str) -> None:
    counted = re.search(r"^contract: (\d+) passed, (\d+) failed, (\d+) not run, \d+ advice$", output, re.MULTILINE)
    assert counted
    assert int(counted[1]) >= 40
    assert "○ acme: completeness: label is not given" in output


def test_contract_and_a_name_select(folder: Path) -> None:
    chosen = run(folder, "-q", "-m", "contract", "-k", "TestAcmeWhole", "--collect-only")
    assert f"{len(RULES)}/" in chosen
    assert "TestAcmeWhole::test_any_split" in chosen
    assert "test_my_own" not in run(folder, "-q", "-m", "contract", "--collect-only")


def test_recordings_lie_beside_the_test(tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    mars.recordings(recordings)
    (tmp_path / "mars.py").write_text(Path(mars.__file__).read_text() + "\n\nprovider = dialect()\n")
    (tmp_path / "test_mars.py").write_text(
        "from parley.testing import ProviderContract\n\n\n"
        'class TestMars(ProviderContract):\n    provider = "mars.py"\n    recordings = "recordings"\n'
    )
    output = run(tmp_path, "-q")
    assert f"contract: {len(RULES)} passed" in output, output
