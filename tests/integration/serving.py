"""A `parley serve` for a whole module of tests; its providers' endpoints are ports of this machine where a test replays what it wants."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parley.testing.recordings import Recording
from parley.testing.replay import Answer, ReplayServer

from .server_process import INHERITED

PARLEY = str(Path(sys.executable).with_name("parley"))


class Served:
    """`url` is the base URL for a client, `key` what it must bring."""

    def __init__(self, url: str, key: str, ports: dict[str, int]) -> None:
        self.url = url
        self.key = key
        self._ports = ports

    def replaying(self, provider: str, *answers: Recording | Answer) -> ReplayServer:
        """What this provider answers as long as the replay is open."""
        return ReplayServer(*answers, port=self._ports[provider])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(directory: Path, *providers: str, **variables: str) -> Iterator[Served]:
    """A server with these providers set up, and a key that the command line made."""
    ports = {provider: free_port() for provider in providers}
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment |= {"HOST": "127.0.0.1", "PORT": "0", "PARLEY_DATA_DIR": str(directory / "data")}
    for provider, port in ports.items():
        prefix = provider.upper().replace("-", "_")
        environment |= {f"{prefix}_ENDPOINT": f"http://127.0.0.1:{port}/v1", f"{prefix}_API_KEY": f"vendor-key-{provider}"}
    if "openai" in ports:
        environment["OPENAI_API"] = "chat"  # what these vendors are asked to answer with is of that wire
    environment |= variables
    with (directory / "server.log").open("w") as log:
        process = subprocess.Popen(
            [PARLEY, "serve"], cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True
        )
    try:
        assert process.stdout is not None
        ready = next((line for line in process.stdout if line.startswith("ready")), None)
        assert ready is not None, (directory / "server.log").read_text()
        url = ready.split()[1].split("/setup")[0]
        made = subprocess.run([PARLEY, "key", "new", "tests"], cwd=directory, env=environment, capture_output=True, text=True, check=True)
        key = next(line for line in made.stdout.splitlines() if "API_KEY=" in line).partition("=")[2]
        yield Served(f"{url}/v1", key, ports)
    finally:
        process.terminate()
        process.wait(timeout=60)
        if process.stdout is not None:
            process.stdout.close()
