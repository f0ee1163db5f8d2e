"""`parley provider new`: what it writes works at once, what cannot be is told in words, and nothing is overwritten."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import parley
from parley.cli.main import application
from parley.cli.scaffold.drafts import KINDS, wires
from parley.registry.loading import Registry
from parley.testing.replay import Answer, ReplayServer
from parley.testing.samples import sample_of

ENDPOINT = "https://api.acme.example/v1"
HTML = b"<!doctype html><html><head><title>It works!</title></head><body></body></html>"


def new(name: str, *flags: str, endpoint: str | None = ENDPOINT) -> Result:
    given = [] if endpoint is None else ["--endpoint", endpoint]
    return CliRunner().invoke(application(), ["provider", "new", name, *given, *flags])


def written(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def refused(result: Result, *words: str) -> None:
    assert result.exit_code != 0
    told = " ".join(result.stderr.split())
    assert all(word in told for word in words), told


def described(name: str, **variables: str) -> Any:
    return Registry.from_environment(environ=variables).describe(name)


def test_a_dialect_needs_no_line_by_hand(tmp_path: Path) -> None:
    result = new("acme-two", "--model", "acme-fast", "--label", "Acme Zwei")
    assert result.exit_code == 0
    assert written(tmp_path) == {"parley_providers/acme_two.py", "parley_providers/test_acme_two.py"}
    lines = (tmp_path / "parley_providers" / "acme_two.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 20
    description = described("acme-two", ACME_TWO_API_KEY="k")
    assert (description.status, description.label, description.model) == ("ready", "Acme Zwei", "acme-fast")
    assert [model.id for model in description.models] == ["acme-fast"]
    assert described("acme-two").reason.startswith("Acme Zwei needs the vendor's API key: set ACME_TWO_API_KEY")


def test_it_says_what_to_do_next_and_each_of_it_can_be_done(tmp_path: Path) -> None:
    told = new("acme", "--model", "m").stdout
    assert "parley_providers/acme.py" in told
    assert re.findall(r"\d\. (.+)", told) == [
        "parley provider env acme >> .env     then fill in ACME_API_KEY",
        "parley provider check acme",
        "pytest parley_providers/test_acme.py",
        'parley chat -p acme "Good day"',
    ]
    assert "ACME_API_KEY=" in CliRunner().invoke(application(), ["provider", "env", "acme"]).stdout


def test_a_server_on_this_machine_needs_no_key_and_is_given_its_time(tmp_path: Path) -> None:
    assert "fill in" not in new("acme", "--model", "m", endpoint="http://127.0.0.1:8000/v1").stdout
    description = described("acme")
    assert (description.status, description.local) == ("ready", True)


@pytest.mark.parametrize("wire", list(wires()))
async def test_a_dialect_of_each_wire_answers(tmp_path: Path, wire: str) -> None:
    assert new("acme", "--wire", wire, "--model", "m").exit_code == 0
    sample = sample_of(wire.replace("-", "_"))
    assert sample is not None
    async with (
        ReplayServer(sample.streamed(), sample.complete()) as server,
        parley.load_provider("acme", api_key="k", endpoint=server.url) as provider,
    ):
        tokens: list[str] = []
        await provider.stream_response(messages=[{"role": "user", "content": "Hi"}], on_token=tokens.append)
        reply = await provider.generate_response(messages=[{"role": "user", "content": "Hi"}])
    assert "".join(tokens) == reply.text == sample.text


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every kind as a file and as a package, plain and with all that can be said."""
    directory = tmp_path_factory.mktemp("everything")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        for kind in KINDS:
            assert new(f"plain-{kind}", "--kind", kind).exit_code == 0
            full = ("--model", "m-1", "--label", "Ünïcode & Söhne")
            assert new(f"full-{kind}", "--kind", kind, *full, endpoint="http://localhost:8000/v1").exit_code == 0
            assert new(f"packed-{kind}", "--kind", "package", "--inside", kind, *full).exit_code == 0
    return directory


def ran(*command: str | Path, directory: Path, **variables: str) -> str:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables}
    result = subprocess.run([sys.executable, "-m", *command], cwd=directory, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_tests_that_come_with_them_pass(everything: Path) -> None:
    sources = os.pathsep.join(str(path) for path in everything.glob("parley-*/src"))
    # The fault wall takes seconds for each of the nine, and is faced elsewhere.
    command = ["pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-k", "not fault", "."]
    out = ran(*command, directory=everything, PYTHONPATH=sources)
    assert "passed" in out
    assert "failed" not in out


def test_what_is_written_is_clean_and_formatted(everything: Path) -> None:
    checkout = Path(__file__).parents[3]
    ran("ruff", "format", "--check", "--no-cache", "--config", checkout / "pyproject.toml", ".", directory=everything)
    rules = ["check", "--isolated", "--no-cache", "--select", "E4,E7,E9,F,I,B,UP,RUF,SIM,PT,ASYNC", "--ignore", "RUF001,RUF002,RUF003"]
    for directory in (everything / "parley_providers", *everything.glob("parley-*")):
        ran("ruff", *rules, ".", directory=directory)


def test_what_is_written_satisfies_a_type_checker(everything: Path) -> None:
    providers = [*everything.glob("parley_providers/[!t]*.py"), *everything.glob("parley-*/src/*/provider.py")]
    assert len(providers) == 9
    ran("pyright", "--pythonpath", sys.executable, *providers, directory=everything)


def test_all_of_them_are_found_and_no_test_is_taken_for_a_provider(everything: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(everything)
    registry = Registry.from_environment(environ={})
    own = {each.name: each.status for each in registry.descriptions() if "parley_providers" in each.origin}
    assert own == {f"{how}-{kind}": status for kind in KINDS for how, status in (("plain", "unconfigured"), ("full", "ready"))}


def test_a_package_is_whole_and_names_its_entry_point(everything: Path) -> None:
    directory = everything / "parley-packed-wire"
    assert written(directory) == {
        "README.md",
        "pyproject.toml",
        "src/parley_packed_wire/__init__.py",
        "src/parley_packed_wire/provider.py",
        "tests/test_packed_wire.py",
    }
    project = tomllib.loads((directory / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"] == {"parley.providers": {"packed-wire": "parley_packed_wire.provider"}}
    assert project["name"] == "parley-packed-wire"
    assert project["dependencies"] == [f"parley-ai>={'.'.join(parley.__version__.split('.')[:2])}"]


def test_inside_the_checkout_it_becomes_a_built_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "parley-ai"\n', encoding="utf-8")
    providers = tmp_path / "src" / "parley" / "providers"
    providers.mkdir(parents=True)
    monkeypatch.chdir(providers)
    told = new("acme").stdout
    assert written(tmp_path) == {"pyproject.toml", "src/parley/providers/acme.py", "tests/unit/providers/test_acme.py"}
    test = (tmp_path / "tests" / "unit" / "providers" / "test_acme.py").read_text(encoding="utf-8")
    assert "from parley.providers import acme as module" in test
    assert f"pytest {tmp_path}/tests/unit/providers/test_acme.py" in told
    assert "make docs" in told


def test_in_another_project_it_is_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "somebody"\n', encoding="utf-8")
    assert new("acme").exit_code == 0
    assert (tmp_path / "parley_providers" / "acme.py").is_file()


def test_it_goes_where_provider_files_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_PROVIDER_PATH", os.pathsep.join(["mine", "others"]))
    assert new("acme").exit_code == 0
    assert written(tmp_path) == {"mine/acme.py", "mine/test_acme.py"}


def test_another_folder_is_told_how_to_be_looked_into(tmp_path: Path) -> None:
    result = new("acme", "--to", "elsewhere")
    assert written(tmp_path) == {"elsewhere/acme.py", "elsewhere/test_acme.py"}
    assert "PARLEY_PROVIDER_PATH=elsewhere" in result.stdout


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("openai", ["built-in", "openai-ai"]),
        ("class", ["word of the language Python", "class-ai"]),
        ("none", ["word of the language Python"]),
        ("test", ["tests"]),
        ("test-acme", ["tests", "for example acme"]),
        ("parley", ["PARLEY_"]),
        ("http", ["HTTP_PROXY"]),
        ("Acme AI", ["a-z, 0-9 and -", "acme-ai"]),
        ("2fast", ["start with a letter", "call it fast"]),
        ("acme_ai", ["acme-ai"]),
        ("acme--ai", ["call it acme-ai"]),
        ("../../etc/passwd", ["call it etc-passwd"]),
        ("日本", ["for example acme-ai"]),
        ("", ["for example acme-ai"]),
        ("a" * 41, [f"call it {'a' * 40}"]),
        ("fast", ["a route of parley.toml", "fast-ai"]),
        ("mine", ["parley.toml", "mine-ai"]),
        ("named", ["PARLEY_PROVIDERS"]),
        ("broken", ["broken.py", "broken-ai"]),
    ],
)
def test_a_name_that_cannot_be_is_told_with_one_that_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: list[str]
) -> None:
    monkeypatch.setenv("PARLEY_PROVIDERS", "named")
    (tmp_path / "parley.toml").write_text(
        '[[providers]]\nname = "mine"\nprovider = "openai-compatible"\nendpoint = "http://127.0.0.1:1/v1"\n'
        '[[routes]]\nname = "fast"\ntargets = [{model = "mine/m"}]\n',
        encoding="utf-8",
    )
    (tmp_path / "parley_providers").mkdir()
    (tmp_path / "parley_providers" / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    before = written(tmp_path)
    result = new(name)
    refused(result, "NAME", *words)
    assert result.exit_code == 2
    assert written(tmp_path) == before


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--endpoint", "api.acme.example"], ["--endpoint has no scheme"]),
        (["--endpoint", ""], ["--endpoint is empty"]),
        (["--endpoint", "https://x.example/v1/chat/completions"], ["--endpoint ends with", "base URL alone"]),
        (["--endpoint", "https://me:secret@x.example/v1"], ["--endpoint contains a user name or password"]),
        ([], ["--endpoint is missing", "for example --endpoint https://"]),
        (["--endpoint", ENDPOINT, "--wire", "openai-chta"], ["--wire", 'Did you mean "openai-chat"?', "gemini-generate"]),
        (["--endpoint", ENDPOINT, "--wire", "openai-chat", "--kind", "class"], ["--wire is for a dialect"]),
        (["--endpoint", ENDPOINT, "--inside", "wire"], ["--inside", "--kind package"]),
        (["--endpoint", ENDPOINT, "--from-url", ENDPOINT], ["--from-url and --endpoint"]),
        (["--from-url", ENDPOINT, "--kind", "wire"], ["--from-url", "--kind dialect"]),
        (["--endpoint", ENDPOINT, "--label", 'Ac"""me'], ["--label must be one line"]),
        (["--endpoint", ENDPOINT, "--label", "Ac\nme"], ["--label must be one line"]),
        (["--endpoint", ENDPOINT, "--model", "m\\"], ["--model must be one line"]),
        (["--endpoint", ENDPOINT, "--model", "m" * 201], ["--model has more than 200"]),
    ],
)
def test_a_flag_that_cannot_be_meant_is_named_and_nothing_is_written(tmp_path: Path, flags: list[str], words: list[str]) -> None:
    result = new("acme", *flags, endpoint=None)
    refused(result, *words)
    assert "secret" not in result.output
    assert (result.exit_code, written(tmp_path)) == (2, set())


@pytest.mark.parametrize("name", ["acme_two.py", "test_acme_two.py"])
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    file = tmp_path / "elsewhere" / name
    file.parent.mkdir()
    file.write_text("mine", encoding="utf-8")
    refused(new("acme-two", "--to", "elsewhere"), f"elsewhere/{name} exists already")
    assert written(tmp_path) == {f"elsewhere/{name}"}
    assert file.read_text(encoding="utf-8") == "mine"


def test_a_package_that_is_there_is_left_alone(tmp_path: Path) -> None:
    assert new("acme", "--kind", "package").exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    refused(new("acme", "--kind", "package"), "parley-acme/pyproject.toml exists already")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(new("acme", "--to", "file"), "file/acme.py cannot be written", "--to")
    assert written(tmp_path) == {"file"}


def listing(*models: dict[str, Any]) -> Answer:
    return Answer(headers={"content-type": "application/json"}, body=json.dumps({"object": "list", "data": models}).encode())


async def new_from(server: ReplayServer, *flags: str, path: str = "") -> Result:
    import asyncio

    return await asyncio.to_thread(new, "acme", "--from-url", server.url.removesuffix("/v1") + path, *flags, endpoint=None)


async def test_a_running_server_says_its_models(tmp_path: Path) -> None:
    async with ReplayServer(listing({"id": "small", "max_model_len": 8192}, {"id": "große/Größe"}, {"id": 'ev"il'})) as server:
        result = await new_from(server)
    assert result.exit_code == 0, result.stderr
    [request] = server.requests
    assert (request.method, request.path) == ("GET", "/v1/models")
    assert "authorization" not in request.headers
    description = described("acme")
    assert [(model.id, model.context_tokens) for model in description.models] == [("small", 8192), ("große/Größe", 0)]
    assert (description.status, description.model) == ("ready", "small")
    assert f'endpoint: str = "http://127.0.0.1:{server.url.split(":")[-1].split("/")[0]}/v1"' in (
        tmp_path / "parley_providers" / "acme.py"
    ).read_text(encoding="utf-8")


async def test_the_model_that_was_named_comes_first_and_of_many_only_ten_are_written(tmp_path: Path) -> None:
    async with ReplayServer(listing(*({"id": f"m-{number}"} for number in range(30)))) as server:
        result = await new_from(server, "--model", "m-7", path="/v1")
    models = [model.id for model in described("acme").models]
    assert (models[0], len(models)) == ("m-7", 10)
    assert "lists 30 models, of which 10 were written" in result.stdout


async def test_a_server_that_wants_a_key_is_given_this_providers_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_COMPATIBLE_API_KEY", "sk-of-another-server")
    monkeypatch.setenv("ACME_API_KEY", "sk-of-acme-itself")
    async with ReplayServer(listing({"id": "m"})) as server:
        result = await new_from(server)
    assert server.requests[0].headers["authorization"] == "Bearer sk-of-acme-itself"
    text = (tmp_path / "parley_providers" / "acme.py").read_text(encoding="utf-8")
    assert "sk-of" not in text + result.output
    assert "api_key" not in text


async def test_a_server_that_refuses_is_told_with_the_variable(tmp_path: Path) -> None:
    answer = Answer(status=401, headers={"content-type": "application/json"}, body=b'{"error": {"message": "No key."}}')
    async with ReplayServer(answer) as server:
        result = await new_from(server)
    refused(result, "No key", "set ACME_API_KEY", "nothing was written")
    assert written(tmp_path) == set()


async def test_a_list_that_stands_at_the_url_itself_is_found_too(tmp_path: Path) -> None:
    missing = Answer(status=404, body=b"not here")
    async with ReplayServer(missing, listing({"id": "m"})) as server:
        assert (await new_from(server)).exit_code == 0
    assert [request.path for request in server.requests] == ["/v1/models", "/models"]
    assert described("acme").fields[2].default == server.url.removesuffix("/v1")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(headers={"content-type": "text/html"}, body=HTML), 'a web page titled "It works!"'),
        (Answer(headers={"content-type": "application/json"}, body=b"{}"), "no list"),
        (Answer(headers={"content-type": "application/json"}, body=b""), "empty body"),
        (Answer(status=503, body=b"busy"), "503"),
        (Answer(silent_before_head=True, ending="reset"), "127.0.0.1"),
    ],
)
async def test_a_server_that_answers_otherwise_is_told_and_nothing_is_written(tmp_path: Path, answer: Answer, words: str) -> None:
    async with ReplayServer(answer) as server:
        result = await new_from(server)
    refused(result, words, "nothing was written")
    assert written(tmp_path) == set()


def test_a_server_that_is_down_is_told(tmp_path: Path) -> None:
    result = new("acme", "--from-url", "http://127.0.0.1:9", endpoint=None)
    refused(result, "nothing listens at http://127.0.0.1:9", "nothing was written")
    assert (result.exit_code, written(tmp_path)) == (1, set())


@pytest.fixture
def terminal() -> Iterator[Any]:
    """Runs the command on a terminal of its own and answers its questions."""

    def talk(*arguments: str, answers: list[tuple[str, str]]) -> str:
        pid, screen = pty.fork()
        if pid == 0:
            os.execv(Path(sys.executable).with_name("parley"), ["parley", *arguments])
        shown = ""
        for question, answer in answers:
            while question not in shown:
                shown += os.read(screen, 4096).decode()
            shown = shown.rpartition(question)[2]
            os.write(screen, f"{answer}\n".encode())
        try:
            while piece := os.read(screen, 4096):
                shown += piece.decode()
        except OSError:  # what Linux says at the end of a terminal
            pass
        os.waitpid(pid, 0)
        return shown

    return talk


def test_on_a_terminal_it_asks_for_what_it_was_not_told(tmp_path: Path, terminal: Any) -> None:
    shown = terminal(
        "provider",
        "new",
        "Acme AI",
        answers=[
            ("Shall it be called acme-ai?", ""),
            ("What is it", ""),
            ("Wire", "anthropic-messages"),
            ("Base URL", "api.acme.example"),
            ("has no scheme", "https://api.acme.example/v1"),
            ("Model", "m-1"),
        ],
    )
    assert "parley provider check acme-ai" in shown
    text = (tmp_path / "parley_providers" / "acme_ai.py").read_text(encoding="utf-8")
    assert 'label="Acme AI"' in text
    assert "wire=AnthropicMessages()" in text
    assert 'model: str = "m-1"' in text
