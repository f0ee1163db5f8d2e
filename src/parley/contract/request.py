"""One request for an answer, as everything below the caller sees it. Knows nothing of how it is sent."""

from __future__ import annotations

from msgspec import Struct, field

from parley.contract.messages import Message
from parley.contract.options import Options

MAX_SESSION_ID_CHARACTERS = 36


class ChatRequest(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Messages, an optional system prompt (which comes before system messages) and options.

    `session_id` is opaque, at most 36 characters, different per branch and fresh context; `user_id` is opaque: both are for
    providers that keep state. `strict_options` refuses what would else be dropped with a warning.
    """

    messages: list[Message]
    system_prompt: str | None = None
    options: Options = field(default_factory=Options)
    session_id: str | None = None
    user_id: str | None = None
    strict_options: bool = False
