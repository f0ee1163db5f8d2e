"""The reference pages of the vendors' wires that a server speaks, from the tables that it goes by. Knows no route."""

from __future__ import annotations

from collections.abc import Callable

_LEFT_OUT = """\
A field that has no meaning behind a provider is left out and named in the reply's header `x-parley-warnings`; so is a
field that nobody knows, unless the provider takes any (`openai-compatible`, `llama-cpp`): then it is passed on, and
named all the same. With the header `x-parley-strict: 1` such a request is refused instead. What would change the form
of the answer is refused always."""

_HEADERS = """| header `x-parley-provider` | who answered |
| header `x-parley-attempts` | how often it was asked |
| header `x-parley-cache` | `hit`: given before, at no cost; `miss`: may be given again. In a request `on` or `off` |
| header `x-parley-cost`, in streams `usage.cost` | US dollars, where the price is known |
| header `x-parley-warnings` | what was left out or changed; what a stream learns later stands in `warnings` of its last {last} |
| header `x-request-id` | the id of this request in the server's log |"""

_SENT_BACK = """\
A vendor's own {pieces} pass as they are where the provider behind speaks this wire, in both directions. Thought of a
provider on another wire travels sealed in `{sealed}`: send the reply back as it is, as every client of this wire
does, and its vendor gets its own again. What tool calls need besides is remembered by the server for a while, by key
owner and call."""

_ERRORS = """\
`code` is Parley's word, the same as in the library ([errors](errors.md)); `x-should-retry` says whether to try again.
A vendor that refuses its own key is a 502, never a 401: the key of your client is good. The status of a stream is
held back until its first event, so that errors before it are typed;"""


def wire_pages() -> dict[str, str]:
    """The pages by their file names, without the note that they are generated."""
    from parley.wire import (
        anthropic_messages_server_fields,
        openai_chat_server_fields,
        openai_embeddings_server,
        openai_responses_server_fields,
    )

    made: dict[str, tuple[Callable[[str], str], Callable[[], str]]] = {
        "chat-completions.md": (_chat_completions, openai_chat_server_fields.fields_table),
        "responses.md": (_responses, openai_responses_server_fields.fields_table),
        "embeddings.md": (_embeddings, openai_embeddings_server.fields_table),
        "messages.md": (_messages, anthropic_messages_server_fields.fields_table),
    }
    return {name: page(table()) for name, (page, table) in made.items()}


def _chat_completions(table: str) -> str:
    return f"""# Chat completions

`POST /v1/chat/completions` takes what OpenAI's clients send, whatever provider is behind. Keys are given as
`Authorization: Bearer …` or `x-api-key`; `parley key new NAME` makes one.

{_LEFT_OUT}

{table}
## Replies

The shape is OpenAI's; `model` is the vendor's own id. Besides:

| Where | What |
|---|---|
{_HEADERS.format(last="chunk")}
| `message.reasoning_content`, `delta.reasoning_content` | readable reasoning |
| `message.images`, `delta.images` | generated images |
| `tool_calls[].extra_content` | signatures that the vendor wants back: send messages back as they are |
| `usage.source` | `estimated` or `mixed`, where the vendor did not report all counts |

## Errors

The shape is OpenAI's: `{{"error": {{"message", "type", "param", "code"}}}}`. {_ERRORS}
an error after it is an event with `error`, and no `[DONE]` follows.
"""


def _responses(table: str) -> str:
    return f"""# Responses

`POST /v1/responses` takes what OpenAI's clients send to the Responses API, whatever provider is behind. Keys are given as
`Authorization: Bearer …` or `x-api-key`; `parley key new NAME` makes one.

**Nothing is kept between requests.** `store: true`, `previous_response_id`, `conversation`, `background` and references to items are
refused in words; send the whole conversation as `input`. A client that leaves `store` out is served, and its reply says `store: false`.

{_LEFT_OUT}

{table}
## Replies

The shape is OpenAI's; `model` is the vendor's own id. A stream has every event that the vendor's has, numbered from 0 by
`sequence_number`, and an item has one id from its first event to its last. Besides:

| Where | What |
|---|---|
{_HEADERS.format(last="response")}
| `usage.source` | `estimated` or `mixed`, where the vendor did not report all counts |

Counts that this wire demands and the vendor behind does not give (`cached_tokens`, `reasoning_tokens`) are 0.

{_SENT_BACK.format(pieces="items, their ids and encrypted thought", sealed="encrypted_content")}

## Errors

The shape is OpenAI's: `{{"error": {{"message", "type", "param", "code"}}}}`. {_ERRORS}
an error after it is an event of type `error`, and no final response follows.
"""


def _messages(table: str) -> str:
    return f"""# Messages

`POST /v1/messages` takes what Anthropic's clients send, whatever provider is behind. Their base URL is the server's address without
`/v1`. Keys are given as `x-api-key` or `Authorization: Bearer …`; `parley key new NAME` makes one. Every `anthropic-version` is taken.

{_LEFT_OUT}

{table}
## Replies

The shape is Anthropic's; `model` is the vendor's own id. Streams go from `message_start` to `message_stop`, with a `ping` after the first
event and every 15 seconds in which nothing else came. Besides:

| Where | What |
|---|---|
{_HEADERS.format(last="`message_delta`")}
| `usage.source` | `estimated` or `mixed`, where the vendor did not report all counts |

`input_tokens` are those that came from no cache and went into none, as at the vendor.

{_SENT_BACK.format(pieces="blocks, signatures and citations", sealed="signature")}

## Counting tokens

`POST /v1/messages/count_tokens` takes the same fields, without `max_tokens`. The count is the provider's own where it counts beforehand;
else it is an estimate, and `x-parley-warnings` begins with `estimated`.

## Models

`GET /v1/models` answers in Anthropic's shape who sends `anthropic-version`.

## Errors

The shape is Anthropic's: `{{"type": "error", "error": {{"type", "message", "code"}}, "request_id"}}`; the message begins with the field
that is meant. {_ERRORS}
an error after it is an event of type `error`. `thread` is refused in the way that makes the vendor's own tool loop go on with whole
conversations.
"""


def _embeddings(table: str) -> str:
    return f"""# Embeddings

`POST /v1/embeddings` takes what OpenAI's clients send and gives vectors in OpenAI's shape, from any provider that makes them: each
provider's page says whether it does. A list that is longer than a vendor takes at once goes up in several calls, and comes back in
its order. Without a server it is `await client.embed("openai", ["one", "two"])` of `parley.Client`, or `parley.sync.embed`.

A field that nobody knows is passed on to a provider that speaks OpenAI's own wire, and left out before any other; either way it is
named in the reply's header `x-parley-warnings`. With the header `x-parley-strict: 1` such a request is refused instead.

{table}
## Replies

The shape is OpenAI's; `model` is the vendor's own word for what made the vectors. Where the vendor reports no usage it is estimated,
and `usage.source` says `estimated`. The headers are those of [chat completions](chat-completions.md), and so are the errors.
"""
