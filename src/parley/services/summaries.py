"""A long conversation in few words: one call of its own model; nothing is deleted. Knows no vendor."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from parley.contract.errors import InvalidRequestError, ProtocolError
from parley.contract.messages import Message
from parley.contract.options import Options
from parley.contract.request import ChatRequest
from parley.dispatch.client import Client
from parley.services.errors import ConflictError
from parley.services.events import ShownUsage
from parley.services.generations import Generations, running_already
from parley.services.principals import Principal
from parley.services.requests import SUMMARY_HEADING
from parley.services.targets import caller_of
from parley.storage.ids import now_ms
from parley.storage.messages import MessageRecord, Messages
from parley.storage.sessions import Sessions

INSTRUCTION = (
    "Summarise the conversation below so that it can be continued without its text. Keep names, numbers, decisions, open questions "
    "and what the user wants. Use the conversation's own language. Answer with the summary alone."
)


class Summary(Struct, frozen=True, kw_only=True, rename="camel"):
    """What now stands for the conversation up to `context_after_id`; `cost` in US dollars, None = unknown."""

    summary: str
    summarised_messages: int
    context_after_id: str
    provider: str
    model: str
    usage: ShownUsage
    cost: float | None


class Summaries:
    """From then on the summary is sent in the place of what it covers, which stays visible."""

    def __init__(self, client: Callable[[], Client], *, sessions: Sessions, messages: Messages, generations: Generations) -> None:
        self._client = client
        self._sessions = sessions
        self._messages = messages
        self._generations = generations

    async def summarize(self, principal: Principal, session_id: str) -> Summary:
        """Summarise what is sent of a session so far, an earlier summary included.

        Raises NotFoundError, ConflictError while an answer is made, InvalidRequestError where there is nothing to summarise, and
        whatever the provider raises; then nothing has changed.
        """
        session, path = await self._messages.context(principal.user_id, session_id)
        if await self._generations.runs(session_id):
            raise running_already()
        begun_after = bool(path) and path[0].id == session.context_after_id
        covered = path[1:] if begun_after else path
        if not covered:
            raise InvalidRequestError("there is nothing to summarise yet; nothing has been said since the context began")
        transcript = _transcript(covered, session.context_summary if begun_after else None)
        target = f"{session.provider}/{session.model}" if session.model else session.provider
        client = self._client()
        destination = client.destination(target)
        messages = [Message(role="user", content=transcript)]
        request = ChatRequest(messages=messages, system_prompt=INSTRUCTION, options=Options(model=destination.model or None))
        reply = await client.generate(destination, request, caller=caller_of(principal))
        text = reply.text.strip()
        if not text:
            raise ProtocolError("the model gave no summary; nothing has changed", provider=reply.provider, model=reply.model)
        await self._keep(principal, session_id, covered[-1].id, text)
        return Summary(
            summary=text,
            summarised_messages=len(covered),
            context_after_id=covered[-1].id,
            provider=reply.provider,
            model=reply.model,
            usage=ShownUsage.of(reply.usage),
            cost=reply.cost,
        )

    async def _keep(self, principal: Principal, session_id: str, last_id: str, text: str) -> None:
        session = await self._sessions.get(principal.user_id, session_id)
        if session.shown_leaf_id != last_id:
            raise ConflictError("the conversation went on while it was summarised; ask again when it rests")
        changes = {"context_after_id": last_id, "context_summary": text}
        await self._sessions.update(principal.user_id, session_id, changes=changes, at=now_ms())


def _transcript(messages: list[MessageRecord], summary: str | None) -> str:
    earlier = [f"{SUMMARY_HEADING}\n{summary}"] if summary else []
    return "\n\n".join([*earlier, *(f"{message.role}: {message.text}" for message in messages if message.text)])
