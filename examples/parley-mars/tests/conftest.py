"""A Mars server on a free port for the tests that want one, in a thread of its own so that they need no event loop."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from parley_mars import server


@pytest.fixture(scope="session")
def mars() -> Iterator[str]:
    """Its base URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(server.start(seconds=0), loop).result()
    yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    loop.call_soon_threadsafe(listening.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
