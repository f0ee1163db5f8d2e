from __future__ import annotations

import pytest

from parley.contract.usage import Usage
from parley.storage import tables
from parley.storage.database import Database
from parley.storage.errors import AlreadyExistsError
from parley.storage.generations import IDEMPOTENCY_MS, LOG_KEPT_MS, Beginning, GenerationRecord, Generations, LoggedEvents
from parley.storage.ids import new_id
from parley.storage.messages import MessageDetails, MessageRecord, Messages, written_message
from parley.storage.sessions import SessionRecord, Sessions
from parley.storage.statements import insertion
from parley.storage.users import UserRecord

NOW = 10 * IDEMPOTENCY_MS


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
    await generations.remove_old(now=NOW + LOG_KEPT_MS + 1)
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
