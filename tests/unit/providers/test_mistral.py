from __future__ import annotations

import json

from parley.contract.http import Target
from parley.contract.messages import Message, ToolCall, ToolResult
from parley.contract.request import ChatRequest
from parley.providers.mistral import provider

TARGET = Target(provider="mistral", model="mistral-small-latest", endpoint="https://api.mistral.example/v1")


def test_a_user_who_speaks_right_after_a_tool_is_not_refused() -> None:
    call = ToolCall(id="abcdefghi", name="look")
    messages = [
        Message(role="user", content="Look"),
        Message(role="assistant", content=[call]),
        Message(role="tool", content=[ToolResult(tool_call_id="abcdefghi", content="seen")]),
        Message(role="user", content="Never mind"),
    ]
    encoded = provider.wire.encode(ChatRequest(messages=messages), target=TARGET, stream=False)
    roles = [message["role"] for message in json.loads(encoded.body)["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]
