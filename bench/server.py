"""The server's figures on this machine: /v1 and stored chats with everything on (key check, metrics), beside a bare handler and the stub.

    python bench/server.py [--seconds 3] [--repeat 3] [--callers 32] [--limits]

One core for the server, the other for stub and load. Machines are noisy and their cores unlike: besides what the clock says, the
processor time of the server per request is measured, and what it is worth in requests per second of one core.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from run import HERE, pinned, stub

PARLEY = str(Path(sys.executable).with_name("parley"))
TICKS = os.sysconf("SC_CLK_TCK")
MESSAGES = [
    {"role": "system", "content": "You are a careful assistant of a company's support desk. Answer briefly."},
    {"role": "user", "content": "What is the capital of France, and how long has it been the capital?"},
]
CHUNKS = 100
COMPLETIONS = "/v1/chat/completions"
STORED = "/api/v1/chat/message"
BARE = """
import sys
import uvicorn
from litestar import Litestar, Request, Response, post

@post("/v1/chat/completions", status_code=200)
async def bare(request: Request) -> Response[bytes]:
    await request.body()
    return Response(b"{}", media_type="application/json")

uvicorn.run(Litestar([bare], openapi_config=None), port=int(sys.argv[1]), log_level="warning", access_log=False)
"""


class Load:
    """Callers in a closed loop, each with a connection of its own, that look at no more of an answer than its end.

    Of several bodies each caller sends one of its own.
    """

    def __init__(self, port: int, bodies: Sequence[dict[str, object]], key: str, *, path: str) -> None:
        self.port = port
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n".encode()
        encoded = [json.dumps(body).encode() for body in bodies]
        self.requests = [head + b"content-length: %d\r\n\r\n" % len(body) + body for body in encoded]
        self.streams = path != COMPLETIONS or bool(bodies[0].get("stream"))
        self.answers = 0
        self.events = 0
        self.first_ms: list[float] = []

    async def run(self, callers: int, seconds: float) -> None:
        end = time.perf_counter() + seconds
        await asyncio.gather(*(self._call(end, self.requests[caller % len(self.requests)]) for caller in range(callers)))

    async def _call(self, end: float, request: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while time.perf_counter() < end:
            started = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"the server answered: {head.decode()}")
            self.first_ms.append((time.perf_counter() - started) * 1000)
            await (self._read_stream(reader) if self.streams else reader.readexactly(_length(head)))
            self.answers += 1
        writer.close()

    async def _read_stream(self, reader: asyncio.StreamReader) -> None:
        tail = b""
        while not tail.endswith(b"0\r\n\r\n"):
            data = await reader.read(65536)
            if not data:
                raise SystemExit("the server closed a stream before its end")
            self.events += data.count(b"data: ")
            tail = (tail + data)[-8:]


def _length(head: bytes) -> int:
    return int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])


def processor_seconds(pid: int | None) -> float:
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this kernel does not report memory in smaps_rollup")


@contextmanager
def bare_server() -> Iterator[tuple[int, int, str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(pinned(0, [sys.executable, "-c", BARE, str(port)]))
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.1)
        yield port, process.pid, ""
    finally:
        process.terminate()
        process.wait()


# Every kind of limit, none of which is reached: what is measured is the counting.
LIMITS = """
[limits]
user = {requests_per_minute = 100_000_000, tokens_per_day = 1_000_000_000_000, concurrency = 10_000}
key = {requests_per_minute = 100_000_000, tokens_per_minute = 1_000_000_000_000}
[[providers]]
name = "openai-compatible"
limits = {requests_per_minute = 100_000_000, tokens_per_minute = 1_000_000_000_000, concurrency = 10_000}
"""


@contextmanager
def parley_server(endpoint: str, *, limits: bool) -> Iterator[tuple[int, int, str]]:
    with tempfile.TemporaryDirectory() as directory:
        environment = os.environ | {"PORT": "0", "HOST": "127.0.0.1", "OPENAI_COMPATIBLE_ENDPOINT": endpoint, "LOG_LEVEL": "warning"}
        environment |= {"PARLEY_DATA_DIR": directory}
        (Path(directory) / "parley.toml").write_text(LIMITS if limits else "")
        started = time.perf_counter()
        process = subprocess.Popen(
            pinned(0, [PARLEY, "serve"]), env=environment, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            assert process.stdout is not None
            ready = next(line for line in process.stdout if line.startswith("ready"))
            print(f"ready after      {time.perf_counter() - started:>9.2f} s (goal 1.5)")
            made = subprocess.run(
                [PARLEY, "key", "new", "bench"], env=environment, cwd=directory, capture_output=True, text=True, check=True
            )
            key = made.stdout.splitlines()[1].partition("=")[2]
            print(f"idle             {memory_mb(process.pid):>9.0f} MB (goal 100)")
            yield int(ready.split("/setup")[0].rsplit(":", 1)[1].strip("/\n")), process.pid, key
        finally:
            process.terminate()
            process.wait()


def measure(port: int, pid: int | None, key: str, *, model: str, stream: bool, options: argparse.Namespace) -> dict[str, float]:
    """Medians of several runs through `/v1`."""
    body: dict[str, object] = {"model": model, "messages": MESSAGES, "temperature": 0.7, "max_tokens": 256}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return medians(lambda: Load(port, [body], key, path=COMPLETIONS), pid, events=stream, options=options)


def measure_stored(port: int, pid: int, key: str, *, model: str, options: argparse.Namespace) -> dict[str, float]:
    """The same through sessions, one for each caller: question and answer are stored, the answer is streamed and logged."""

    def load() -> Load:
        # New sessions for each run: a conversation that grows for ever would be measured by its length.
        return Load(port, new_chats(port, key, model=model, count=options.callers), key, path=STORED)

    return medians(load, pid, events=False, options=options)


def new_chats(port: int, key: str, *, model: str, count: int) -> list[dict[str, object]]:
    """A question each in so many sessions of their own."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    provider, _, name = model.partition("/")
    asked = json.dumps({"provider": provider, "model": name}).encode()
    bodies: list[dict[str, object]] = []
    for _ in range(count):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/chat/session", asked, headers)
        with urllib.request.urlopen(request) as reply:
            bodies.append({"sessionId": json.load(reply)["sessionId"], "message": MESSAGES[1]["content"]})
    return bodies


def medians(make: Callable[[], Load], pid: int | None, *, events: bool, options: argparse.Namespace) -> dict[str, float]:
    """Answers or events per second, processor time for each, and the time to the head for one caller alone."""
    asyncio.run(make().run(options.callers, 0.5))
    runs = []
    for _ in range(options.repeat):
        load = make()
        before, started = processor_seconds(pid), time.perf_counter()
        asyncio.run(load.run(options.callers, options.seconds))
        took, used = time.perf_counter() - started, processor_seconds(pid) - before
        counted = load.events if events else load.answers
        runs.append((counted / took, used / max(counted, 1) * 1e6))
    alone = make()
    asyncio.run(alone.run(1, 1))
    return {
        "per_s": statistics.median(run[0] for run in runs),
        "microseconds": statistics.median(run[1] for run in runs),
        "first_ms": statistics.median(alone.first_ms),
    }


def show(what: str, figures: dict[str, float], goal: str = "") -> None:
    used = figures["microseconds"]
    worth = f"{used:>8.1f} µs of processor, worth {1e6 / used:>9,.0f}/s" if used else " " * 45
    print(f"{what:<22} {figures['per_s']:>9,.0f}/s {worth}   head after {figures['first_ms']:.2f} ms alone{goal}")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seconds", type=float, default=3)
    ask.add_argument("--repeat", type=int, default=3)
    ask.add_argument("--callers", type=int, default=32)
    ask.add_argument("--limits", action="store_true", help="count against limits of every kind")
    options = ask.parse_args()
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})
    with stub(None) as endpoint:
        port = int(endpoint.split(":")[2].split("/")[0])
        show("stub, plain", measure(port, None, "", model="stub", stream=False, options=options))
        show("stub, stream events", measure(port, None, "", model=f"stub-{CHUNKS}-0", stream=True, options=options))
        with bare_server() as (bare_port, pid, key):
            show("bare handler", measure(bare_port, pid, key, model="stub", stream=False, options=options))
        with parley_server(endpoint, limits=options.limits) as (parley_port, pid, key):
            name = "openai-compatible/stub"
            show("/v1, plain", measure(parley_port, pid, key, model=name, stream=False, options=options), " (goal 3,000/s)")
            streamed = measure(parley_port, pid, key, model=f"{name}-{CHUNKS}-0", stream=True, options=options)
            show("/v1, stream events", streamed, " (goal 60,000/s)")
            stored = measure_stored(parley_port, pid, key, model=f"{name}-10-0", options=options)
            show("stored answers", stored, " (goal 300/s)")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main()
