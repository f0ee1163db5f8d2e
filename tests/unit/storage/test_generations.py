from __future__ import annotations

import pytest
from msgspec import structs
from sqlalchemy import select

from parley.contract.usage import Usage
from parley.storage import generations as stored_generations
from parley.storage import tables
from parley.storage.database import Database
from parley.storage.errors import AlreadyExistsError
from parley.storage.generations import IDEMPOTENCY_MS, LOG_KEPT_MS, Beginning, GenerationRecord, Generations, LoggedEvents
from parley.storage.ids import new_id, now_ms
from parley.storage.messages import MessageDetails, MessageRecord, Messages, written_message
from parley.storage.sessions import SessionRecord, Sessions
from parley.storage.statements import insertion
from parley.storage.users import UserRecord

NOW = now_ms()


@pytest.fixture
async def session(database: Database, user: UserRecord) -> SessionRecord:
    session = SessionRecord(id=new_id(), user_id=user.id, provider="p", model="m", created_at=NOW, updated_at=NOW, active_at=NOW)
    await Sessions(database).add(session)
    return session


def beginning(session: SessionRecord, *, key: str | None = None, at: int = NOW, parent_id: str | None = None) -> Beginning:
    question = MessageRecord(id=new_id(), session_id=session.id, parent_id=parent_id, role="user", content="q", created_at=at)
    answer = MessageRecord(id=new_id(), session_id=session.id, parent_id=question.id, role="assistant", content="", created_at=at)
    generation = GenerationRecord(
        message_id=answer.id,
        session_id=session.id,
        user_id=session.user_id,
        state="running",
        idempotency_key=key,
        body_hash="h",
        created_at=at,
        seen_at=at,
    )
    return Beginning(question=question, answer=answer, generation=generation, title="t")


async def end(generations: Generations, begun: Beginning, *, at: int = NOW) -> None:
    await generations.end(begun.answer, state="finished", last_seq=2, at=at)


async def test_the_table_itself_refuses_a_second_running_one(database: Database, session: SessionRecord) -> None:
    generations = Generations(database)
    first, second = beginning(session), beginning(session)
    await generations.begin(first)
    with pytest.raises(AlreadyExistsError):
        await generations.begin(second)
    assert [message.role for message in await Messages(database).list(session.id)] == ["user", "assistant"], "all or nothing"
    await end(generations, first)
    await generations.begin(second)


async def test_an_idempotency_key_is_taken_for_a_day(database: Database, session: SessionRecord) -> None:
    generations = Generations(database)
    first = beginning(session, key="k")
    await generations.begin(first)
    await end(generations, first)
    with pytest.raises(AlreadyExistsError):
        await generations.begin(beginning(session, key="k", at=NOW + IDEMPOTENCY_MS))
    assert await generations.find_by_key(session.id, "k", now=NOW + IDEMPOTENCY_MS) is not None
    assert await generations.find_by_key(session.id, "k", now=NOW + IDEMPOTENCY_MS + 1) is None
    await generations.begin(beginning(session, key="k", at=NOW + IDEMPOTENCY_MS + 1))


async def test_old_logs_go_and_answers_stay(database: Database, session: SessionRecord) -> None:
    generations = Generations(database)
    begun = beginning(session, key="k")
    await generations.begin(begun)
    await generations.log(lambda: LoggedEvents(begun.answer.id, 1, 2, b"[]"))
    await generations.remove_old(now=NOW + 10 * LOG_KEPT_MS)
    assert len(await generations.events(begun.answer.id)) == 1, "what runs keeps its log"
    await end(generations, begun)
    await generations.remove_old(now=NOW + LOG_KEPT_MS)
    assert len(await generations.events(begun.answer.id)) == 1
    await generations.remove_old(now=now_ms() + LOG_KEPT_MS + 60_000)  # its id is of now, whenever these tests were collected
    assert await generations.events(begun.answer.id) == []
    assert len(await Messages(database).list(session.id)) == 2


async def test_only_what_was_not_heard_of_counts_as_dead(database: Database, session: SessionRecord) -> None:
    generations = Generations(database)
    begun = beginning(session)
    await generations.begin(begun)
    await generations.seen([begun.answer.id], at=NOW + 5)
    assert await generations.list_running(seen_before=NOW + 5) == []
    [dead] = await generations.list_running(seen_before=NOW + 6)
    assert dead.message_id == begun.answer.id
    await generations.seen([], at=NOW)


async def test_a_long_conversation_is_walked_and_deleted(database: Database, session: SessionRecord) -> None:
    messages, path = Messages(database), list[MessageRecord]()
    for number in range(2500):
        parent_id = path[-1].id if path else None
        path.append(
            MessageRecord(id=new_id(), session_id=session.id, parent_id=parent_id, role="user", content=f"{number}", created_at=NOW)
        )
    await database.writer.submit(insertion(tables.messages), [written_message(message) for message in path])
    _, walked = await messages.context(session.user_id, session.id, leaf_id=path[-1].id)
    assert walked == path
    assert await messages.branch(path[-1].id, limit=3) == path[:-4:-1]
    await Sessions(database).remove(session.user_id, session.id)
    assert await messages.list(session.id) == []


async def test_details_and_totals_are_kept(database: Database, session: SessionRecord, user: UserRecord) -> None:
    generations, messages = Generations(database), Messages(database)
    begun = beginning(session)
    await generations.begin(begun)
    details = MessageDetails(usage=Usage(prompt_tokens=3, completion_tokens=4, total_tokens=7), refusal="no", complete=False)
    answer = MessageRecord(
        **{name: getattr(begun.answer, name) for name in MessageRecord.__struct_fields__} | {"details": details, "cost": 0.5}
    )
    await generations.end(answer, state="finished", last_seq=1, at=NOW)
    assert (await messages.get(user.id, answer.id)).details == details
    totals = await messages.totals(user.id)
    assert (totals.messages, totals.prompt_tokens, totals.completion_tokens, totals.cost) == (1, 3, 4, 0.5)
    nothing = await messages.totals("nobody")
    assert (nothing.messages, nothing.cost) == (0, None)


async def test_whoever_is_taken_for_dead_is_ended_once_and_not_when_it_lives(database: Database, session: SessionRecord) -> None:
    generations, messages = Generations(database), Messages(database)
    begun = beginning(session)
    await generations.begin(begun)
    [dead] = await generations.list_running(seen_before=NOW + 1)
    kept = structs.replace(begun.answer, content="half", finish_reason="interrupted")
    await generations.seen([dead.message_id], at=NOW + 7)
    assert not await generations.interrupt(dead, kept, last_seq=2, at=NOW + 8), "it has been heard of in the meantime"
    [dead] = await generations.list_running(seen_before=NOW + 8)
    assert await generations.interrupt(dead, kept, last_seq=2, at=NOW + 9)
    assert not await generations.interrupt(dead, kept, last_seq=2, at=NOW + 9), "another replica was faster"
    assert (await messages.get(session.user_id, kept.id)).content == "half"
    await generations.begin(beginning(session, parent_id=kept.id))


async def test_a_whole_answer_is_not_replaced_by_what_was_left_of_it(database: Database, session: SessionRecord) -> None:
    generations, messages = Generations(database), Messages(database)
    begun = beginning(session)
    await generations.begin(begun)
    [dead] = await generations.list_running(seen_before=NOW + 1)
    await generations.end(structs.replace(begun.answer, content="whole", finish_reason="stop"), state="finished", last_seq=9, at=NOW)
    assert not await generations.interrupt(dead, structs.replace(begun.answer, content="half"), last_seq=2, at=NOW)
    assert (await messages.get(session.user_id, begun.answer.id)).content == "whole"


async def test_a_note_to_cancel_is_for_what_runs(database: Database, session: SessionRecord) -> None:
    generations = Generations(database)
    begun, other = beginning(session), new_id()
    await generations.begin(begun)
    running = await generations.find_running(session.id)
    assert running is not None
    assert await generations.list_cancelled([running.message_id, other]) == []
    await generations.ask_to_cancel(running.message_id, at=NOW)
    assert await generations.list_cancelled([running.message_id, other]) == [running.message_id]
    await end(generations, begun)
    assert await generations.find_running(session.id) is None
    assert await generations.list_cancelled([]) == []


async def test_a_log_is_read_from_where_its_reader_stands(database: Database, session: SessionRecord) -> None:
    generations = Generations(database)
    begun = beginning(session)
    await generations.begin(begun)
    for first in (1, 4, 7):
        await generations.log(lambda first=first: LoggedEvents(begun.answer.id, first, first + 2, f"[{first}]".encode()))
    assert await generations.events(begun.answer.id, after=5) == [b"[4]", b"[7]"]
    assert await generations.events(begun.answer.id, after=9) == []


async def test_old_logs_go_a_few_at_a_time(database: Database, session: SessionRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_generations, "MAX_REMOVED_LOGS", 2)
    generations = Generations(database)
    for _ in range(3):
        begun = beginning(session)
        await generations.begin(begun)
        for first in (1, 3):
            await generations.log(lambda begun=begun, first=first: LoggedEvents(begun.answer.id, first, first + 1, b"[]"))
        await end(generations, begun, at=now_ms())
    assert not await generations.remove_old(now=now_ms()), "they are young"
    tomorrow = now_ms() + LOG_KEPT_MS + 1000
    assert await generations.remove_old(now=tomorrow)
    assert not await generations.remove_old(now=tomorrow)
    assert await database.fetch(select(tables.generation_events)) == []
