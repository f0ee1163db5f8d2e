"""Parley's figures on this machine, side by side with the peers, on one stub. One core for the library, the other for the stub.

    python bench/run.py [--peers PYTHON] [--repeat 5] [--endpoint URL]

`--peers` is an interpreter in whose environment openai and litellm are installed (they are no dependency of ours);
`--endpoint` measures against a stub that runs already. Prints medians; machines are noisy, so compare within one run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent


def pinned(core: int, command: list[str]) -> list[str]:
    """The command on one core, where the system can do that."""
    return ["taskset", "-c", str(core), *command] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else command


@contextmanager
def stub(endpoint: str | None):
    if endpoint:
        yield endpoint
        return
    process = subprocess.Popen(pinned(1, [sys.executable, str(HERE / "stub.py")]), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.terminate()
        process.wait()


def median_milliseconds(command: list[str], repeat: int) -> float:
    times = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        subprocess.run(pinned(0, command), check=True, stdout=subprocess.DEVNULL)
        times.append((time.perf_counter() - start) * 1000)
    return round(statistics.median(times[1:]), 1)


def library(python: str, name: str, endpoint: str, repeat: int, *extra: str) -> dict[str, float] | None:
    runs = []
    for _ in range(repeat):
        command = pinned(0, [python, str(HERE / "library.py"), name, "--endpoint", endpoint, *extra])
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            print(f"{name}: not measured ({done.stderr.strip().splitlines()[-1]})", file=sys.stderr)
            return None
        runs.append(json.loads(done.stdout))
    return {figure: round(statistics.median(run[figure] for run in runs)) for figure in runs[0]}


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--peers", help="an interpreter that has openai and litellm")
    ask.add_argument("--repeat", type=int, default=5)
    ask.add_argument("--endpoint")
    options = ask.parse_args()
    python = sys.executable
    empty = median_milliseconds([python, "-c", ""], options.repeat)
    imported = median_milliseconds([python, "-c", "import parley"], options.repeat)
    shown = median_milliseconds([str(Path(python).parent / "parley"), "--help"], options.repeat)
    print(f"python itself    {empty:>9} ms\nimport parley    {round(imported - empty, 1):>9} ms more (goal 120)")
    print(f"parley --help    {shown:>9} ms (goal 250)")
    with stub(options.endpoint) as endpoint:
        ours = library(python, "parley", endpoint, options.repeat, "--streams", "500")
        if ours is None:
            raise SystemExit(1)
        for figure, value in ours.items():
            print(f"parley           {value:>9} {figure}")
        for peer in ("openai", "litellm") if options.peers else ():
            theirs = library(options.peers, peer, endpoint, max(1, options.repeat // 2))
            for figure, value in (theirs or {}).items():
                print(f"{peer:<16} {value:>9} {figure}   (ours is {ours[figure] / value:.1f} times that)")


if __name__ == "__main__":
    main()
