"""A server killed in mid-stream, without a chance to say goodbye: what it had acknowledged is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from parley.storage.database import Database

from .talking import Talk

SERVER = """
import asyncio, itertools, sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from talking_for_a_crash import Talk
from parley.contract.events import TextDelta
from parley.storage.database import Database

async def endless(request):
    for number in itertools.count(1):
        yield TextDelta(f"{number} ")
        await asyncio.sleep(0.001)

async def main():
    directory = Path(sys.argv[1])
    database = await Database.open(f"sqlite:///{directory / 'parley.db'}")
    async with Talk(database, directory) as talk:
        talk.play = endless
        session_id = await talk.session()
        generation = await talk.chat.send(talk.principal, session_id, "count")
        print("session", talk.principal.user_id, session_id, flush=True)
        async for frame in generation.frames():
            if frame.acknowledged_seq:
                print("acknowledged", frame.acknowledged_seq, flush=True)

asyncio.run(main())
"""


@pytest.fixture
def crashed(tmp_path: Path) -> tuple[Path, str, str, int]:
    """The directory, the user, the session, and the last acknowledged number of a process that was killed."""
    (tmp_path / "talking_for_a_crash.py").write_text((Path(__file__).parent / "talking.py").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "server.py").write_text(SERVER, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "server.py"), str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    try:
        assert process.stdout is not None
        _, user_id, session_id = process.stdout.readline().split()
        acknowledged = 0
        while acknowledged < 100:
            acknowledged = int(process.stdout.readline().split()[1])
    finally:
        process.kill()
        rest, _ = process.communicate()
    # What it still printed before it died counts as well.
    for line in rest.splitlines():
        if line.startswith("acknowledged ") and line.split()[1:]:
            acknowledged = max(acknowledged, int(line.split()[1]))
    return tmp_path, user_id, session_id, acknowledged


async def test_nothing_acknowledged_is_lost(crashed: tuple[Path, str, str, int], tmp_path_factory: pytest.TempPathFactory) -> None:
    directory, user_id, session_id, acknowledged = crashed
    database = await Database.open(f"sqlite:///{directory / 'parley.db'}")
    talk = Talk(database, tmp_path_factory.mktemp("restarted"))
    assert await talk.chat.recover() == 1
    _, messages = await talk.messages.context(user_id, session_id)
    numbers = messages[-1].text.split()
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)], "a prefix, without a gap"
    assert len(numbers) >= acknowledged
    assert messages[-1].finish_reason == "interrupted"
    await talk.chat.drain(0)
    await database.aclose()
