from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from parley.cli.main import application

Write = Callable[..., Path]
Make = Callable[..., bytes]


def run(*arguments: str, answer: str = "") -> Any:
    return CliRunner().invoke(application(), ["local", *arguments], input=answer)


@contextmanager
def served(body: bytes) -> Iterator[str]:
    """A web server with this one file; the commands under test run in this thread, so it needs one of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_a_file_is_described_added_listed_and_removed(tmp_path: Path, write_gguf: Write) -> None:
    added = run("add", str(write_gguf("Tiny-Q4.gguf")))
    assert added.exit_code == 0, added.output
    assert "Tiny, llama, Q4_K_M, 4,096 tokens of context" in added.output
    assert "chat template  has one" in added.output
    assert "parley chat -m local/Tiny-Q4" in added.output
    assert (tmp_path / "data/models/Tiny-Q4.gguf").is_file()
    listed = run("list")
    assert "Tiny-Q4" in listed.output
    assert "llama, Q4_K_M" in listed.output
    assert run("remove", "Tiny-Q4").exit_code == 0
    assert "No model was added" in run("list").output


def test_the_data_directory_is_the_servers(tmp_path: Path, write_gguf: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_DATA_DIR", str(tmp_path / "elsewhere"))
    assert run("add", str(write_gguf()), "--name", "t").exit_code == 0
    assert (tmp_path / "elsewhere/models/t.gguf").is_file()


def test_a_model_without_chat_template_is_said_to_need_one(write_gguf: Write) -> None:
    assert "LOCAL_CHAT_TEMPLATE must give it one" in run("add", str(write_gguf(tokenizer__chat_template=None))).output


def test_a_download_shows_host_and_size_and_asks_first(tmp_path: Path, make_gguf: Make) -> None:
    with served(make_gguf(tensor_bytes=200_000)) as url:
        refused = run("add", f"{url}/tiny.gguf", answer="n\n")
        assert refused.exit_code == 1
        assert f"from {url.removeprefix('http://')}" in refused.output
        assert "200 kB" in refused.output
        assert "no --sha256 was given" in refused.output
        assert list((tmp_path / "data/models").iterdir()) == []
        agreed = run("add", f"{url}/tiny.gguf", answer="y\n")
    assert agreed.exit_code == 0, agreed.output
    assert (tmp_path / "data/models/tiny.gguf").is_file()


def test_a_download_with_its_hash_needs_no_question(tmp_path: Path, make_gguf: Make) -> None:
    data = make_gguf()
    with served(data) as url:
        wrong = run("add", f"{url}/tiny.gguf", "--yes", "--sha256", "0" * 64)
        right = run("add", f"{url}/tiny.gguf", "--yes", "--sha256", hashlib.sha256(data).hexdigest())
    assert (wrong.exit_code, right.exit_code) == (2, 0)
    assert "is another file than was meant" in wrong.output
    assert [path.name for path in (tmp_path / "data/models").iterdir()] == ["tiny.gguf"]


def test_a_download_that_is_no_whole_model_is_not_kept(tmp_path: Path, make_gguf: Make) -> None:
    with served(make_gguf()[:-10]) as url:
        result = run("add", f"{url}/tiny.gguf", "--yes")
    assert result.exit_code == 2
    assert "cut short" in result.output
    assert list((tmp_path / "data/models").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "nothere.gguf"], "cannot be read"),
        (["add", "x.gguf", "--sha256", "abc"], "64 hexadecimal digits"),
        (["add", "http://127.0.0.1:1/m.gguf", "--yes"], "cannot be reached"),
        (["remove", "nobody"], "was not added"),
    ],
)
def test_bad_input_is_told_in_words(arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code in {1, 2}
    assert words in result.output


def test_a_page_instead_of_a_model_is_told_before_anything_is_asked() -> None:
    with served(b"<!doctype html><title>Sign in</title>") as url:
        result = run("add", f"{url}/tiny.gguf")
    assert "a web page, not with a GGUF file" in result.output
    assert "Download it?" not in result.output


def test_a_model_that_is_too_large_for_this_machine_is_refused(write_gguf: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    from parley.local import memory

    monkeypatch.setattr(memory, "read_memory", lambda: memory.Memory(1_000_000, 500_000))
    result = run("add", str(write_gguf()))
    assert result.exit_code == 2
    assert "cannot run here: it needs about 268 MB of memory, and this machine has 1.0 MB" in result.output
