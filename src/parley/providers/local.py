"""A GGUF model run by Parley itself, in a child process. Wire: https://github.com/ggml-org/llama.cpp/tree/master/tools/server
(read 2026-11-25), by https://github.com/xorbitsai/xllamacpp (read 2026-11-25).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from msgspec import structs

from parley.guard.suggestions import did_you_mean
from parley.local.gguf import read_model_file
from parley.local.memory import read_memory
from parley.local.process import LocalServer, Order
from parley.local.store import ModelStore, memory_problem, memory_warning
from parley.provider import (
    GRAMMAR_SCHEMA,
    Capabilities,
    ChatRequest,
    Config,
    ConfigurationError,
    ConnectionStatus,
    Dialect,
    EmbeddingRequest,
    FieldProblem,
    HttpProvider,
    HttpRequest,
    Model,
    OpenAIChat,
    ParleyError,
    Setting,
    Target,
    UnknownModelError,
)

DEFAULT_CONTEXT_TOKENS = 8192
TEST_SECONDS = 15.0


class LocalConfig(Config):
    """LOCAL_MODEL: a model that `parley local add` added, or a file. The rest has good defaults."""

    api_key: Annotated[str, Setting("not used: the model runs in a process of Parley's own", secret=True)] = ""
    model: Annotated[
        str, Setting("an added model, or the path of a GGUF file; empty: the only one that was added", example="qwen3-0.6b")
    ] = ""
    endpoint: Annotated[str, Setting("a server that runs already; then none is started", example="http://127.0.0.1:8080/v1")] = ""
    context_tokens: Annotated[int, Setting(f"length of the context; 0: the model's, {DEFAULT_CONTEXT_TOKENS} at most")] = 0
    parallel: Annotated[int, Setting("how many answers at a time; each has a context of its own")] = 1
    threads: Annotated[int, Setting("processor threads; 0: as llama.cpp likes")] = 0
    chat_template: Annotated[str, Setting("a chat template for a model that has none: a name, or Jinja", example="chatml")] = ""
    start_seconds: Annotated[float, Setting("how long loading a model may take")] = 300.0
    data_directory: Annotated[str, Setting("in its folder models lie the added ones", aliases=("PARLEY_DATA_DIR",), shared=True)] = "data"


class LocalProvider(HttpProvider):
    """Speaks to a child process for each model, which it starts when it is first asked."""

    def __init__(self, dialect: Dialect, config: LocalConfig, *, name: str | None = None) -> None:
        super().__init__(dialect, config, name=name)
        self._settings_of_model = config
        self._store = ModelStore(Path(config.data_directory))
        self._servers: dict[str, LocalServer] = {}

    async def list_models(self) -> Sequence[Model]:
        """The models that were added, and the one that is configured."""
        if self._settings_of_model.endpoint:
            return await super().list_models()
        names = await asyncio.to_thread(self._store.names)
        own = self._settings_of_model.model
        return [Model(name) for name in ([own] if own and own not in names else []) + names]

    async def test_connection(self) -> ConnectionStatus:
        """Start the model that is configured. Never raises for its fault."""
        if self._settings_of_model.endpoint:
            return await super().test_connection()
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(TEST_SECONDS):
                await (await self._server(self._chosen())).running()
        except ParleyError as error:
            return ConnectionStatus(success=False, provider=self.name, error=error.message)
        except TimeoutError:
            words = f"the model is still being loaded after {TEST_SECONDS:g} s; ask again in a moment"
            return ConnectionStatus(success=False, provider=self.name, error=words)
        return ConnectionStatus(success=True, provider=self.name, latency_ms=round((loop.time() - started) * 1000, 1))

    async def aclose(self) -> None:
        """End the child processes."""
        servers, self._servers = list(self._servers.values()), {}
        await super().aclose()
        for server in servers:
            await asyncio.to_thread(server.stop)

    def restrict(self, permits: Any) -> None:
        """The address of its own children nobody chose."""
        if self._settings_of_model.endpoint:
            super().restrict(permits)

    def _target(self, request: ChatRequest | EmbeddingRequest) -> Target:
        if self._settings_of_model.endpoint or request.options.model or isinstance(request, EmbeddingRequest):
            return super()._target(request)
        options = structs.replace(request.options, model=self._chosen())
        return super()._target(structs.replace(request, options=options))

    async def _authorised(self, http_request: HttpRequest, request: ChatRequest | EmbeddingRequest | None) -> HttpRequest:
        """The request as it goes to the child of its model: where that listens, and with its key."""
        if self._settings_of_model.endpoint:
            return await super()._authorised(http_request, request)
        asked = request.options.model if request is not None else None
        running = await (await self._server(asked or self._chosen())).running()
        return HttpRequest(
            method=http_request.method,
            url=f"{running.address}{urlsplit(http_request.url).path}",
            headers={**http_request.headers, "Authorization": f"Bearer {running.key}"},
            body=http_request.body,
        )

    def _chosen(self) -> str:
        """The model where a request names none. Raises ConfigurationError where that is none, or one of several."""
        if self._settings_of_model.model:
            return self._settings_of_model.model
        names = self._store.names()
        if len(names) == 1:
            return names[0]
        variable = self.variable("model")
        problem = (
            f"set {variable} to one of {', '.join(names)}" if names else f"add one with `parley local add`, or set {variable} to a file"
        )
        raise ConfigurationError(f"no local model is chosen: {problem}", fields=[FieldProblem(path=variable, message="is not set")])

    async def _server(self, name: str) -> LocalServer:
        server = self._servers.get(name)
        if server is None:
            order = await asyncio.to_thread(self._order, name)
            server = self._servers.setdefault(name, LocalServer(order, start_seconds=self._settings_of_model.start_seconds))
        return server

    def _order(self, name: str) -> Order:
        """What the child is told, once the file is known to be a model that can run here. Raises UnknownModelError, ConfigurationError."""
        path = self._file(name)
        said = read_model_file(path)
        config = self._settings_of_model
        if said.chat_template is False and not config.chat_template:
            variable = self.variable("chat_template")
            words = f"the model {name} has no chat template, so nobody knows how to talk to it; {variable} gives it one (such as chatml)"
            raise ConfigurationError(words, fields=[FieldProblem(path=variable, message="is needed by this model")])
        size_bytes, memory = path.stat().st_size, read_memory()
        if problem := memory_problem(size_bytes, memory) or memory_warning(size_bytes, memory):
            raise ConfigurationError(f"the model {name} cannot be started: {problem}")
        most = min(said.context_tokens or DEFAULT_CONTEXT_TOKENS, DEFAULT_CONTEXT_TOKENS)
        return Order(
            path=str(path.resolve()),
            name=name,
            context_tokens=config.context_tokens or most,
            parallel=max(1, config.parallel),
            threads=config.threads,
            chat_template=config.chat_template,
        )

    def _file(self, name: str) -> Path:
        """The file of a model. A path may stand in the configuration only: requests come from anybody."""
        added = self._store.find(name)
        if added is not None:
            return added
        if name == self._settings_of_model.model and (path := Path(name).expanduser()).is_file():
            return path
        if Path(name).suffix == ".gguf" and name == self._settings_of_model.model:
            raise UnknownModelError(f"there is no file {name}; set LOCAL_MODEL to one, or to a model that `parley local add` has added")
        names = self._store.names()
        known = f"{', '.join(names)} can be asked for" if names else "none was added yet; `parley local add` does"
        raise UnknownModelError(f"the local model {name!r} was not added: {known}.{did_you_mean(name, names)}")


class LocalDialect(Dialect, frozen=True, kw_only=True):
    """A dialect whose server is started for it."""

    def create(self, config: Config, *, name: str | None = None) -> HttpProvider:
        """See parley.provider.Dialect."""
        if not isinstance(config, LocalConfig):
            raise TypeError(f"the configuration of {self.name} must be a LocalConfig, not {type(config).__name__}")
        return LocalProvider(self, config, name=name)


def base_url(config: LocalConfig) -> str:
    """Where the child listens is known once it runs; the path is always the same."""
    return config.endpoint or "http://127.0.0.1/v1"


provider = LocalDialect(
    name="local",
    label="Local model",
    description="A GGUF model that Parley runs on this machine, in a process of its own",
    config=LocalConfig,
    wire=OpenAIChat(max_tokens_field="max_tokens", rules=(), schema_subset=GRAMMAR_SCHEMA),
    base_url=base_url,
    capabilities=Capabilities(streaming=True, temperature=True, top_p=True, top_k=True, seed=True, list_models=True),
    docs_url="https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
    local=True,
    extra_options=None,
)
