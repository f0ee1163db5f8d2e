from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from parley.contract.errors import InvalidRequestError, ParleyError, ServerError, UnknownModelError, UnknownProviderError
from parley.contract.events import Event, TextDelta
from parley.contract.request import ChatRequest
from parley.services.errors import ConflictError, NotFoundError
from parley.services.profiles import Preferences
from parley.services.sessions import NewSession, SessionChanges
from parley.storage.database import Database

from .talking import Talk, end, sequence


@pytest.fixture
async def talk(database: Database, tmp_path: Path) -> AsyncIterator[Talk]:
    async with Talk(database, tmp_path) as talk:
        yield talk


async def titles(talk: Talk, **asked: Any) -> list[str]:
    page = await talk.sessions.list(talk.principal, **asked)
    return [found.session.title for found in page.items]


async def test_a_session_begins_with_the_servers_default(talk: Talk) -> None:
    session = await talk.sessions.create(talk.principal, NewSession())
    assert (session.provider, session.model, session.system_prompt, session.title) == ("puppet", "puppet-1", None, "")


async def test_a_session_begins_with_what_the_user_prefers_unless_told_otherwise(talk: Talk) -> None:
    preferred = Preferences(default_provider="demo", default_temperature=0.5, system_prompt="Be kind.")
    session = await talk.sessions.create(talk.principal, NewSession(), preferences=preferred)
    assert (session.provider, session.system_prompt, session.settings.temperature) == ("demo", "Be kind.", 0.5)
    told = NewSession(provider="puppet", temperature=0.0, system_prompt="")
    session = await talk.sessions.create(talk.principal, told, preferences=preferred)
    assert (session.provider, session.system_prompt, session.settings.temperature) == ("puppet", None, 0.0)


async def test_a_preference_that_means_nothing_any_more_is_passed_over(talk: Talk) -> None:
    session = await talk.sessions.create(talk.principal, NewSession(), preferences=Preferences(default_provider="gone"))
    assert session.provider == "puppet"


@pytest.mark.parametrize(
    ("new", "error", "path"),
    [
        (NewSession(provider="puppe"), UnknownProviderError, "provider"),
        (NewSession(provider="nobody", model="x"), UnknownProviderError, "provider"),
        (NewSession(model="nothing"), UnknownModelError, "model"),
        (NewSession(temperature=-1.0), InvalidRequestError, "temperature"),
        (NewSession(max_tokens=0), InvalidRequestError, "maxTokens"),
        (NewSession(top_p=float("nan")), InvalidRequestError, "topP"),
        (NewSession(system_prompt="a\0b"), InvalidRequestError, "systemPrompt"),
        (NewSession(provider="pup\npet"), InvalidRequestError, "provider"),
    ],
)
async def test_what_a_session_cannot_begin_with(talk: Talk, new: NewSession, error: type[ParleyError], path: str) -> None:
    with pytest.raises(error) as caught:
        await talk.sessions.create(talk.principal, new)
    assert [field.path for field in caught.value.fields] == [path]


async def test_a_session_is_titled_from_its_first_message_and_the_title_stays(talk: Talk) -> None:
    session_id = await talk.session()
    await talk.say(session_id, "# How do I boil an egg?\nFor breakfast.")
    assert await titles(talk) == ["How do I boil an egg?"]
    await talk.say(session_id, "And a potato?")
    assert await titles(talk) == ["How do I boil an egg?"]
    await talk.sessions.update(talk.principal, session_id, SessionChanges(title="Eggs"))
    await talk.say(session_id, "Thanks")
    assert await titles(talk) == ["Eggs"]


async def test_newest_activity_comes_first_page_by_page(talk: Talk) -> None:
    ids = [await talk.session() for _ in range(5)]
    for number, session_id in enumerate(ids):
        await talk.say(session_id, f"s{number}")
    await talk.say(ids[1], "again")
    assert await titles(talk) == ["s1", "s4", "s3", "s2", "s0"]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await talk.sessions.list(talk.principal, limit=2, cursor=cursor)
        seen += [found.session.title for found in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["s1", "s4", "s3", "s2", "s0"]


@pytest.mark.parametrize("cursor", ["", "x", "ä", "e30", "WzEsMl0", "W251bGwsIngiXQ", "' OR 1=1 --", "A" * 5000])
async def test_a_cursor_that_is_none_of_ours_is_refused(talk: Talk, cursor: str) -> None:
    with pytest.raises(InvalidRequestError):
        await talk.sessions.list(talk.principal, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 101])
async def test_a_limit_has_its_limits(talk: Talk, limit: int) -> None:
    with pytest.raises(InvalidRequestError):
        await talk.sessions.list(talk.principal, limit=limit)


async def test_search_finds_titles_and_texts_in_any_case_and_shows_where(talk: Talk) -> None:
    egg, tax = await talk.session(), await talk.session()
    await talk.say(egg, "How long does an Egg boil?")
    await talk.say(tax, "Taxes")
    await talk.say(tax, "My neighbour ÜBERNIMMT the costs of an egg farm")
    [found] = (await talk.sessions.list(talk.principal, query="übernimmt COSTS")).items
    assert found.session.id == tax
    assert found.snippet is not None
    marked = [found.snippet.text[first:last] for first, last in found.snippet.highlights]
    assert marked == ["ÜBERNIMMT", "costs"]
    assert await titles(talk, query="egg") == ["Taxes", "How long does an Egg boil?"]
    assert await titles(talk, query="egg boil") == ["How long does an Egg boil?"]
    assert await titles(talk, query="egg nothing") == []


@pytest.mark.parametrize("query", ["100%", "_", "\\", "'", '"', "; DROP TABLE users", "a\\%b", "[x]", "*", "(", "NEAR/2", "-- x", "%"])
async def test_what_means_something_to_a_database_is_plain_text_here(talk: Talk, query: str) -> None:
    await talk.say(await talk.session(), "plain words")
    assert await titles(talk, query=query) == []
    await talk.sessions.update(talk.principal, holding := await talk.session(), SessionChanges(title=f"with {query} inside"))
    found = (await talk.sessions.list(talk.principal, query=query)).items
    assert [match.session.id for match in found] == [holding]
    assert found[0].title_highlights


async def test_a_session_changes_field_by_field(talk: Talk) -> None:
    session_id = await talk.session(temperature=0.5, max_tokens=10)
    session = await talk.sessions.update(talk.principal, session_id, SessionChanges(temperature=None, top_p=0.9, model="blind"))
    assert (session.settings.temperature, session.settings.max_tokens, session.settings.top_p) == (None, 10, 0.9)
    assert (session.provider, session.model) == ("puppet", "blind")
    session = await talk.sessions.update(talk.principal, session_id, SessionChanges(provider="demo"))
    assert (session.provider, session.model) == ("demo", "demo"), "another provider begins with its own default"
    with pytest.raises(InvalidRequestError):
        await talk.sessions.update(talk.principal, session_id, SessionChanges(temperature=float("inf")))
    with pytest.raises(NotFoundError):
        await talk.sessions.update(talk.principal, session_id, SessionChanges(shown_message_id="nothing"))


async def test_messages_come_newest_page_first_in_the_order_of_reading(talk: Talk) -> None:
    session_id = await talk.session()
    for number in range(3):
        await talk.say(session_id, f"{number}")
    page = await talk.sessions.messages(talk.principal, session_id, limit=4)
    assert [message.content for message in page.items] == ["1", "echo: 1 ", "2", "echo: 2 "]
    page = await talk.sessions.messages(talk.principal, session_id, limit=4, cursor=page.next_cursor)
    assert [message.content for message in page.items] == ["0", "echo: 0 "]
    assert page.next_cursor is None
    other = await talk.session()
    with pytest.raises(InvalidRequestError):
        await talk.sessions.messages(talk.principal, other, cursor="zzz")


async def test_a_cursor_of_another_session_leads_nowhere(talk: Talk) -> None:
    session_id = await talk.session()
    for number in range(2):
        await talk.say(session_id, f"{number}")
    page = await talk.sessions.messages(talk.principal, session_id, limit=1)
    with pytest.raises(NotFoundError):
        await talk.sessions.messages(talk.principal, await talk.session(), cursor=page.next_cursor)


async def test_a_fresh_context_sends_nothing_of_before_and_shows_all_of_it(talk: Talk) -> None:
    session_id = await talk.session(system_prompt="Be brief.")
    await talk.say(session_id, "before")
    await talk.sessions.clear_context(talk.principal, session_id)
    await talk.say(session_id, "after")
    assert [message.text for message in talk.requests[-1].messages] == ["after"]
    assert talk.requests[-1].system_prompt == "Be brief."
    assert await talk.shown(session_id) == ["before", "echo: before ", "after", "echo: after "]
    assert (await talk.sessions.stats(talk.principal, session_id)).context_messages == 2


async def test_a_summary_stands_for_what_it_covers_and_destroys_nothing(talk: Talk) -> None:
    session_id = await talk.session(system_prompt="Be brief.")
    await talk.say(session_id, "My name is Ada")
    talk.play = sequence(TextDelta("The user is called Ada."), end())
    summary = await talk.summaries.summarize(talk.principal, session_id)
    assert (summary.summary, summary.summarised_messages) == ("The user is called Ada.", 2)
    assert "user: My name is Ada" in talk.requests[-1].messages[0].text
    await talk.say(session_id, "What is my name?")
    request = talk.requests[-1]
    assert [message.text for message in request.messages] == ["What is my name?"]
    assert request.system_prompt is not None
    assert request.system_prompt.startswith("Be brief.")
    assert request.system_prompt.endswith("The user is called Ada.")
    assert (await talk.shown(session_id))[:2] == ["My name is Ada", "echo: My name is Ada "]
    await talk.summaries.summarize(talk.principal, session_id)
    assert "The user is called Ada." in talk.requests[-1].messages[0].text, "a second summary holds the first"


async def test_a_summary_that_fails_changes_nothing(talk: Talk) -> None:
    session_id = await talk.session()
    with pytest.raises(InvalidRequestError):
        await talk.summaries.summarize(talk.principal, session_id)
    await talk.say(session_id, "x")

    async def broken(_request: ChatRequest) -> AsyncIterator[Event]:
        raise ServerError("down", retryable=False)
        yield

    talk.play = broken
    with pytest.raises(ServerError):
        await talk.summaries.summarize(talk.principal, session_id)
    assert (await talk.sessions.get(talk.principal, session_id)).context_after_id is None


async def test_what_needs_rest_waits_for_the_answer(talk: Talk) -> None:
    import asyncio

    go_on = asyncio.Event()

    async def held(_request: ChatRequest) -> AsyncIterator[Event]:
        await go_on.wait()
        yield TextDelta("x")
        yield end()

    talk.play = held
    session_id = await talk.session()
    generation = await talk.chat.send(talk.principal, session_id, "x")
    assert (await talk.sessions.get(talk.principal, session_id)).running
    assert (await talk.sessions.list(talk.principal)).items[0].session.running
    with pytest.raises(ConflictError):
        await talk.sessions.clear_context(talk.principal, session_id)
    with pytest.raises(ConflictError):
        await talk.summaries.summarize(talk.principal, session_id)
    go_on.set()
    await generation.wait()
    assert not (await talk.sessions.get(talk.principal, session_id)).running


async def test_statistics_count_all_branches(talk: Talk) -> None:
    session_id = await talk.session()
    first = await talk.say(session_id, "one")
    await (await talk.chat.regenerate(talk.principal, first.id)).wait()
    await talk.say(session_id, "hi", provider="demo")
    stats = await talk.sessions.stats(talk.principal, session_id)
    assert (stats.user_messages, stats.assistant_messages, stats.failed_answers) == (2, 3, 0)
    assert [(use.provider, use.answers) for use in stats.models] == [("puppet", 2), ("demo", 1)]
    assert stats.total_tokens == stats.prompt_tokens + stats.completion_tokens > 0
    assert stats.cost is None, "unknown is not free"


async def test_exports_hold_the_conversation(talk: Talk) -> None:
    session_id = await talk.session(system_prompt="Be brief.")
    first = await talk.say(session_id, 'Über "eggs" / and\\more\r\nSet-Cookie: x=1')
    await (await talk.chat.regenerate(talk.principal, first.id)).wait()
    as_json = await talk.exports.export(talk.principal, session_id, "json")
    assert as_json.file_name == "ber-eggs-and-more.json"
    document = json.decode(as_json.content)
    assert [message["role"] for message in document["messages"]] == ["user", "assistant", "assistant"]
    assert document["shownMessageIds"] == [document["messages"][0]["id"], document["messages"][2]["id"]]
    markdown = (await talk.exports.export(talk.principal, session_id, "markdown")).content
    assert markdown.startswith('# Über "eggs"')
    assert "> Be brief." in markdown
    assert "## Assistant (puppet-1)" in markdown
    text = (await talk.exports.export(talk.principal, session_id, "text")).content
    assert "You:\nÜber" in text


async def test_a_deleted_session_is_gone_with_everything_in_it(talk: Talk) -> None:
    session_id = await talk.session()
    answer = await talk.say(session_id, "secret")
    await talk.sessions.delete(talk.principal, session_id)
    with pytest.raises(NotFoundError):
        await talk.sessions.get(talk.principal, session_id)
    with pytest.raises(NotFoundError):
        await talk.messages.get(talk.principal.user_id, answer.id)
    assert await titles(talk, query="secret") == []
