"""`parley serve`: the server in the foreground. One line per step, the link last. Knows uvicorn, and no route."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable, Mapping

    from parley.cli.reloading import Reloader
    from parley.config import Settings
    from parley.server.composition import Services

DRAIN_SECONDS = 20
# Longer than the usual 60 s of proxies: they must be the first to close a connection that lies idle.
KEEP_ALIVE_SECONDS = 75


def serve(
    dev: Annotated[
        bool,
        typer.Option(
            "--dev",
            help="For development: take provider files when they are saved, print their traffic, ask the first account for no code.",
        ),
    ] = False,
    host: Annotated[str | None, typer.Option("--host", metavar="ADDRESS", help="Listen on this address (HOST).")] = None,
    port: Annotated[int | None, typer.Option("--port", metavar="PORT", help="Listen on this port (PORT); 0 takes any free one.")] = None,
) -> None:
    """Serve the page and the API.

    Ctrl-C ends it: answers that are being written are finished first, as far as a few seconds allow.
    """
    import asyncio
    import os

    from parley.cli.problems import problems_shown

    chosen = {"PARLEY_ENV": "development" if dev else None, "HOST": host, "PORT": None if port is None else str(port)}
    environ = {**os.environ, **{name: value for name, value in chosen.items() if value is not None}}
    with problems_shown(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(environ, dev=dev))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return None
    return uvloop.new_event_loop


async def _serve(environ: Mapping[str, str], *, dev: bool) -> None:
    """From the settings to the end of the last answer."""
    from msgspec import structs

    from parley import __version__
    from parley.config import load_settings
    from parley.registry.loading import Registry
    from parley.server.composition import Services
    from parley.server.rereading import rereading
    from parley.telemetry import configure

    settings = load_settings(environ=environ)
    reloader = _reloader(environ) if dev else None
    registry = Registry.from_environment(environ=environ)
    registry.check()
    configure(settings.log_level, settings.log_content)
    _say("Parley", f"{__version__}, {settings.surroundings}")
    for warning in settings.warnings:
        _say("warning", warning)
    listening = _listen(settings)
    with listening:
        # PORT=0 asks for any free port: links must name the one that it became.
        bound = structs.replace(settings, port=listening.getsockname()[1])
        services = await Services.open(bound, registry, read=rereading(settings, environ=environ))
        _say("data", str(settings.data_directory))
        await _run(bound, services, listening, reloader)


def _reloader(environ: Mapping[str, str]) -> Reloader:
    from parley.cli.reloading import Reloader
    from parley.cli.traffic import show_traffic

    show_traffic(lambda lines: _say("traffic", lines))
    return Reloader(environ=environ, say=_say)


async def _run(settings: Settings, services: Services, listening: socket.socket, reloader: Reloader | None) -> None:
    import asyncio
    import gc

    from uvicorn import Config

    from parley.server.app import build_app
    from parley.server.websocket import MAX_FRAME_BYTES

    config = Config(
        build_app(settings, services),
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=MAX_FRAME_BYTES,
        # Nothing of a conversation is worth the memory of a compressor for each reader.
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS + 5,
    )
    # What was made while starting lives as long as the process; the collector need never look at it again.
    gc.collect()
    gc.freeze()
    watching = asyncio.create_task(reloader.run(services.configuration)) if reloader is not None else None
    try:
        await _server(config, services, settings.url).serve(sockets=[listening])
    finally:
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


def _server(config: Any, services: Services, url: str) -> Any:
    import asyncio
    import contextlib
    import signal

    from uvicorn import Server

    class _Server(Server):
        """Says when it is ready, reads its configuration anew on SIGHUP, and ends with status 0 on Ctrl-C and SIGTERM: uvicorn's own
        would die of the signal.
        """

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            _say("ready", services.accounts.setup_link() or url)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # Readers stay for the end of what they read: the answers must end before uvicorn waits for its connections.
            _say("ending", "waiting for the answers that are being written")
            draining = asyncio.create_task(services.drain(DRAIN_SECONDS))
            await super().shutdown(sockets)
            await draining

        @contextlib.contextmanager
        def capture_signals(self) -> Any:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self.handle_exit, number, None)
            reloads: set[asyncio.Task[None]] = set()

            def reload() -> None:
                reloads.add(task := asyncio.create_task(_reload(services)))
                task.add_done_callback(reloads.discard)

            if hasattr(signal, "SIGHUP"):  # there is none on Windows
                loop.add_signal_handler(signal.SIGHUP, reload)
            yield

    return _Server(config)


async def _reload(services: Services) -> None:
    """All or nothing, and told either way: whoever sent the signal reads it here."""
    from parley.contract.errors import ParleyError

    try:
        reloaded = await services.reloading.reload(by=None)
    except ParleyError as error:
        problems = [f"{problem.path}: {problem.message}" for problem in error.fields] or [error.message]
        _say("refused", "\n".join(["the configuration stays as it was", *problems]))
        return
    _say("reloaded", f"the configuration, generation {reloaded.generation}")
    if reloaded.needs_restart:
        _say("warning", f"{', '.join(reloaded.needs_restart)}: counts from the next start on")


def _listen(settings: Settings) -> socket.socket:
    """The socket, before anything else is started: a port that is taken is told at once."""
    import socket

    from parley.contract.errors import ConfigurationError

    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Not every loop sees to it: tokens are not held back until more of them fill a packet.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listening.bind((settings.host, settings.port))
    except (OSError, OverflowError) as error:
        listening.close()
        place = f"{settings.host}:{settings.port}"
        raise ConfigurationError(f"cannot listen on {place}: {error}; choose another with --host and --port") from error
    return listening


def _say(step: str, text: str) -> None:
    from parley.cli.terminal import harmless

    first, *more = harmless(text).split("\n")
    sys.stdout.write("".join([f"{step:<9} {first}\n", *(f"{'':<9} {line}\n" for line in more)]))
    sys.stdout.flush()
