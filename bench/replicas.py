"""What an answer costs while it is written, on SQLite and on PostgreSQL with Redis: the figures of the guide about more than one machine.

    python bench/replicas.py [--streams 200] [--seconds 8] [--postgres URL] [--redis URL]

Each stream gets a token every 50 ms. The server has one core, stub and readers the other. What is counted is the server's processor time,
which a busy machine does not change much: how many streams that is worth is reckoned from it. Without `--postgres` SQLite alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager

from run import HERE, pinned, stub
from server import PARLEY, memory_mb, processor_seconds

GAP_MS = 50
TOKEN = b'"type":"token"'


class Server:
    """One `parley serve` on core 0."""

    def __init__(self, directory: str, environment: dict[str, str]) -> None:
        command = pinned(0, [PARLEY, "serve"])
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        self.process = subprocess.Popen(command, env=environment, cwd=directory, **streams)
        assert self.process.stdout is not None
        ready = next(line for line in self.process.stdout if line.startswith("ready"))
        self.port = int(ready.split("/setup")[0].rsplit(":", 1)[1].strip("/\n"))

    def ask(self, key: str, path: str, body: dict[str, object] | None = None) -> dict:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)) as reply:
            return json.load(reply)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()


class Reading:
    """Streams whose tokens are counted."""

    def __init__(self, port: int, key: str) -> None:
        self.port = port
        self.key = key
        self.tokens = 0

    async def read(self, method: str, path: str, body: bytes = b"") -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self.key}\r\ncontent-type: application/json\r\n"
        writer.write(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)
        try:
            while data := await reader.read(65536):
                self.tokens += data.count(TOKEN)
        finally:
            writer.close()


@contextmanager
def environment_of(endpoint: str, options: argparse.Namespace, *, shared: bool):
    with tempfile.TemporaryDirectory() as directory:
        environment = os.environ | {"PORT": "0", "HOST": "127.0.0.1", "OPENAI_COMPATIBLE_ENDPOINT": endpoint, "LOG_LEVEL": "warning"}
        environment |= {"PARLEY_DATA_DIR": directory}
        if shared:
            environment |= {"DATABASE_URL": options.postgres, "REDIS_URL": options.redis, "REDIS_PREFIX": f"bench-{secrets.token_hex(4)}:"}
            environment |= {"JWT_SECRET": secrets.token_urlsafe(32), "PARLEY_SECRET_KEY": secrets.token_urlsafe(32)}
        yield directory, environment


def key_of(directory: str, environment: dict[str, str]) -> str:
    made = subprocess.run([PARLEY, "key", "new", "bench"], env=environment, cwd=directory, capture_output=True, text=True, check=True)
    return next(line for line in made.stdout.splitlines() if "API_KEY=" in line).partition("=")[2]


async def measured(server: Server, key: str, options: argparse.Namespace, *, follower: Server | None) -> dict[str, float]:
    chunks = int((options.seconds + 12) * 1000 / GAP_MS)
    asked = {"provider": "openai-compatible", "model": f"stub-{chunks}-{GAP_MS * 1000}"}
    sessions = [server.ask(key, "/api/v1/chat/session", asked)["sessionId"] for _ in range(options.streams)]
    idle, idle_memory = server.process.pid, memory_mb(server.process.pid)
    made, followed = Reading(server.port, key), Reading(follower.port if follower else 0, key)
    tasks = []
    for session in sessions:
        body = json.dumps({"sessionId": session, "message": "What is the capital of France?"}).encode()
        tasks.append(asyncio.create_task(made.read("POST", "/api/v1/chat/message", body)))
        await asyncio.sleep(0.005)
    await asyncio.sleep(2)
    if follower is not None:
        paths = [f"/api/v1/chat/sessions/{session}/stream" for session in sessions]
        tasks += [asyncio.create_task(followed.read("GET", path)) for path in paths]
        await asyncio.sleep(2)
    before = (processor_seconds(idle), processor_seconds(follower.process.pid if follower else None), made.tokens, time.perf_counter())
    await asyncio.sleep(options.seconds)
    took, tokens = time.perf_counter() - before[3], made.tokens - before[2]
    used = processor_seconds(idle) - before[0]
    used_there = processor_seconds(follower.process.pid if follower else None) - before[1]
    memory = memory_mb(idle)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "tokens_s": tokens / took,
        "core": used / took,
        "core_there": used_there / took,
        "streams_a_core": options.streams * took / used,
        "memory_kb": (memory - idle_memory) * 1024 / options.streams,
    }


def show(what: str, figures: dict[str, float]) -> None:
    print(
        f"{what:<30} {figures['tokens_s']:>7,.0f} tokens/s  {figures['core']:.2f} of a core here, {figures['core_there']:.2f} there; "
        f"worth {figures['streams_a_core']:>6,.0f} streams a core; {figures['memory_kb']:.0f} KB a stream"
    )


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--streams", type=int, default=200)
    ask.add_argument("--seconds", type=float, default=8)
    ask.add_argument("--postgres", help="an empty database that may be filled")
    ask.add_argument("--redis", default="redis://127.0.0.1:6379/0")
    options = ask.parse_args()
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})
    with stub(None) as endpoint:
        for shared in (False, True) if options.postgres else (False,):
            with environment_of(endpoint, options, shared=shared) as (directory, environment):
                servers = [Server(directory, environment) for _ in range(2 if shared else 1)]
                try:
                    key = key_of(directory, environment)
                    show("PostgreSQL" if shared else "SQLite", asyncio.run(measured(servers[0], key, options, follower=None)))
                    if shared:
                        time.sleep(3)
                        show("… and read on another server", asyncio.run(measured(servers[0], key, options, follower=servers[1])))
                finally:
                    for server in servers:
                        server.end()


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main()
