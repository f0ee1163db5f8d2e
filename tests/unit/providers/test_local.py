"""The provider `local` up to the point where a child process is needed; tests/integration/test_local_model.py has the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import parley
from parley.local.memory import Memory
from parley.registry.loading import Registry
from parley.testing.replay import ReplayServer
from parley.testing.samples import sample_of

Write = Callable[..., Path]
MESSAGES = [{"role": "user", "content": "Hi"}]


async def refusal(options: dict[str, Any] | None = None, **config: Any) -> parley.ParleyError:
    async with parley.load_provider("local", **config) as provider:
        with pytest.raises(parley.ParleyError) as raised:
            await provider.generate_response(messages=MESSAGES, options=options)
        return raised.value


def added(path: Path, *names: str) -> None:
    (path / "data/models").mkdir(parents=True, exist_ok=True)
    for name in names:
        (path / f"data/models/{name}.gguf").write_bytes(b"GGUF")


async def test_without_a_model_it_is_told_how_to_get_one() -> None:
    error = await refusal()
    assert "parley local add" in error.message
    assert "LOCAL_MODEL" in error.message


async def test_of_several_models_one_must_be_chosen(tmp_path: Path) -> None:
    added(tmp_path, "a", "b")
    assert "set LOCAL_MODEL to one of a, b" in (await refusal()).message


async def test_a_model_that_was_not_added_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    added(tmp_path, "qwen3", "llama")
    error = await refusal({"model": "qwen"})
    assert isinstance(error, parley.UnknownModelError)
    assert 'Did you mean "qwen3"' in error.message


async def test_a_request_cannot_name_a_file_of_the_machine(tmp_path: Path, write_gguf: Write) -> None:
    added(tmp_path, "a")
    for model in (str(write_gguf()), "/etc/passwd", "../models/a"):
        error = await refusal({"model": model})
        assert isinstance(error, parley.UnknownModelError)
        assert "was not added" in error.message


async def test_a_damaged_file_is_told_before_anything_is_started(tmp_path: Path) -> None:
    added(tmp_path, "a")
    error = await refusal()
    assert isinstance(error, parley.ConfigurationError)
    assert "a.gguf is cut short" in error.message


async def test_a_model_without_chat_template_is_refused_with_the_variable_that_gives_it_one(write_gguf: Write) -> None:
    error = await refusal(model=str(write_gguf(tokenizer__chat_template=None)))
    assert isinstance(error, parley.ConfigurationError)
    assert "has no chat template" in error.message
    assert error.fields[0].path == "LOCAL_CHAT_TEMPLATE"


async def test_a_model_for_which_there_is_no_memory_is_refused(write_gguf: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley.providers.local.read_memory", lambda: Memory(10**12, 1000))
    error = await refusal(model=str(write_gguf()))
    assert "cannot be started: it needs about 268 MB of memory, and 1.0 kB are free now" in error.message


async def test_the_added_models_are_listed(tmp_path: Path) -> None:
    added(tmp_path, "b", "a")
    async with parley.load_provider("local") as provider:
        assert [model.id for model in await provider.list_models()] == ["a", "b"]


async def test_a_connection_test_says_what_to_do_and_never_raises() -> None:
    async with parley.load_provider("local") as provider:
        status = await provider.test_connection()
    assert not status.success
    assert "parley local add" in str(status.error)


async def test_with_an_endpoint_nothing_is_started() -> None:
    sample = sample_of("openai_chat")
    assert sample is not None
    async with ReplayServer(sample.complete()) as server, parley.load_provider("local", endpoint=server.url, model="m") as provider:
        assert (await provider.generate_response(messages=MESSAGES)).text == sample.text


def test_the_servers_data_directory_alone_sets_no_provider_up() -> None:
    untouched = Registry.from_environment(environ={"PARLEY_DATA_DIR": "/data"})
    assert not untouched.is_configured("local")
    assert untouched.default == "demo"
    assert untouched.problems() == []
    config: Any = untouched.get("local").config
    assert config.data_directory == "/data"
    assert Registry.from_environment(environ={"PARLEY_DATA_DIR": "/data", "LOCAL_MODEL": "m"}).default == "local"
    assert Registry.from_environment(environ={"LOCAL_DATA_DIRECTORY": "/data"}).is_configured("local")
