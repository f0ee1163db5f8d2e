"""The child process: llama.cpp's server for one model file. Started by `parley.local.process` as a program, never imported by Parley;
knows nothing of it, and is the only file that imports xllamacpp.

The first line of standard input is its order, as JSON; one line of standard output says where it listens, or why it cannot. It ends
when its standard input does: thus also where the process that started it was killed.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any


def main() -> None:
    """Serve until standard input ends."""
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    # What llama.cpp prints belongs into the log, not between the parent and us.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        engine: Any = importlib.import_module("xllamacpp")
        server = engine.Server(_parameters(engine, order))
        told = {"address": str(server.listening_address)}
    except Exception as error:  # noqa: BLE001 - whatever a foreign library raises is told, and ends this process
        told = {"error": f"{type(error).__name__}: {error}"}
    answers.write(json.dumps(told) + "\n")
    answers.flush()
    if "address" in told:
        sys.stdin.read()
    os._exit(0 if "address" in told else 1)  # at once: nobody waits for the answers that run


def _parameters(library: Any, order: dict[str, Any]) -> Any:
    parameters = library.CommonParams()
    parameters.model.path = order["path"]
    parameters.model_alias = {order["name"]}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [order["key"]]
    parameters.n_parallel = order["parallel"]
    parameters.n_ctx = order["context_tokens"] * order["parallel"]
    parameters.warmup = False
    parameters.ui = False
    if order["threads"]:
        parameters.cpuparams.n_threads = order["threads"]
    if order["chat_template"]:
        parameters.chat_template = order["chat_template"]
    return parameters


if __name__ == "__main__":
    main()
