from __future__ import annotations

from parley.storage.database import Database
from parley.storage.generations import Beginning, GenerationRecord, Generations
from parley.storage.ids import new_id
from parley.storage.messages import MessageRecord
from parley.storage.sessions import SessionPosition, SessionRecord, Sessions
from parley.storage.users import UserRecord

NOW = 1_700_000_000_000


async def said(database: Database, user: UserRecord, title: str, *contents: str, at: int = NOW) -> str:
    """A session of this title with these messages."""
    session = SessionRecord(
        id=new_id(), user_id=user.id, title=title, provider="p", model="m", created_at=at, updated_at=at, active_at=at, settings={"a": [1]}
    )
    await Sessions(database).add(session)
    parent_id = None
    for content in contents:
        question = MessageRecord(id=new_id(), session_id=session.id, parent_id=parent_id, role="user", content=content, created_at=at)
        answer = MessageRecord(id=new_id(), session_id=session.id, parent_id=question.id, role="assistant", content="", created_at=at)
        generation = GenerationRecord(
            message_id=answer.id,
            session_id=session.id,
            user_id=user.id,
            state="finished",
            idempotency_key=None,
            body_hash="",
            created_at=at,
            seen_at=at,
        )
        await Generations(database).begin(Beginning(question=question, answer=answer, generation=generation, title=title))
        parent_id = answer.id
    return session.id


SEARCHES = {
    "straße": ["german"],
    "STRASSE": ["german"],
    "ΣΊΣΥΦΟΣ": ["greek"],
    "50%": ["percent"],
    "%": ["percent"],
    "_": ["underscore"],
    "\\": ["backslash"],
    "' OR 1=1 --": [],
    "two words,": ["both"],
    "german": ["german"],
    "😀": ["emoji"],
}


async def test_what_is_searched_for_is_found_in_any_case_and_taken_by_its_letters(database: Database, user: UserRecord) -> None:
    texts = {
        "german": "Die Straße ist lang",
        "greek": "ο Σίσυφος",
        "percent": "50% of it",
        "underscore": "snake_case",
        "backslash": "C:\\temp",
        "both": "words, two of them",
        "emoji": "well 😀",
    }
    ids = {await said(database, user, title, text): title for title, text in texts.items()}
    for words, found in SEARCHES.items():
        listed = await Sessions(database).list(user.id, limit=50, words=words.split() if words == "two words," else [words])
        assert sorted(ids[entry.session.id] for entry in listed) == found, words
        assert all(entry.session.settings == {"a": [1]} for entry in listed)


async def test_the_newest_message_that_holds_the_words_is_named(database: Database, user: UserRecord) -> None:
    await said(database, user, "t", "first needle", "hay", "second needle")
    [entry] = await Sessions(database).list(user.id, limit=5, words=["needle"])
    assert entry.found_content == '"second needle"'


async def test_pages_follow_each_other_without_a_gap_also_within_one_millisecond(database: Database, user: UserRecord) -> None:
    made = [await said(database, user, str(number), at=NOW + number // 3) for number in range(10)]
    sessions, seen, after = Sessions(database), list[str](), None
    while page := await sessions.list(user.id, limit=3, after=after):
        seen += [entry.session.id for entry in page]
        after = SessionPosition(page[-1].session.active_at, page[-1].session.id)
    assert seen == made[::-1], "newest activity first; of the same time the newest id"


async def test_a_session_goes_with_everything_in_it_and_only_by_its_owner(database: Database, user: UserRecord) -> None:
    session_id = await said(database, user, "t", "x")
    sessions = Sessions(database)
    assert await sessions.list("somebody else", limit=5) == []
    await sessions.update(user.id, session_id, changes={"title": "ß", "settings": {"temperature": 0.5}}, at=NOW)
    assert (await sessions.get(user.id, session_id)).settings == {"temperature": 0.5}
    assert [entry.session.title for entry in await sessions.list(user.id, limit=5, words=["SS"])] == ["ß"]
    await sessions.remove(user.id, session_id)
    assert await sessions.list(user.id, limit=5) == []
