"""What Anthropic's Messages wire can be told that the contract has no word for, as options that its providers declare. Knows no request.

https://docs.claude.com/en/api/messages (read 2026-11-22), …/build-with-claude/claude-on-amazon-bedrock (read 2026-11-25).
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import structs

from parley.contract.capabilities import ExtraOption

_OBJECT = dict[str, Any]

MESSAGES_OPTIONS: tuple[ExtraOption, ...] = (
    ExtraOption(name="service_tier", type=Literal["auto", "standard_only"], description="whether priority capacity may be used"),
    ExtraOption(name="thinking", type=_OBJECT, description="thought in the wire's own words, in place of reasoning_effort"),
    ExtraOption(name="output_config", type=_OBJECT, description="effort in the wire's own words"),
    ExtraOption(name="hosted_tools", type=list[_OBJECT], description="the vendor's own tools, such as web search"),
    ExtraOption(name="tool_fields", type=dict[str, _OBJECT], description="more fields of a tool, by its name"),
    ExtraOption(name="tool_choice", type=_OBJECT, description="one of the vendor's own tools"),
    ExtraOption(name="betas", type=list[str], description="names for the header anthropic-beta"),
    ExtraOption(name="cache_control", type=_OBJECT, description="caches the prompt up to its last block"),
    ExtraOption(name="container", type=str | _OBJECT, description="a container to go on in"),
    ExtraOption(name="context_management", type=_OBJECT, description="what may be cleared from a long conversation"),
    ExtraOption(name="compaction", type=_OBJECT, description="asks for a summary of the conversation"),
    ExtraOption(name="mcp_servers", type=list[_OBJECT], description="servers whose tools the vendor may call"),
    ExtraOption(name="inference_geo", type=str, description="where the model may run"),
    ExtraOption(name="speed", type=Literal["standard", "fast"], description="speed against price"),
    ExtraOption(name="fallbacks", type=str | list[_OBJECT], description="models to try where this one declines"),
    ExtraOption(name="fallback_credit_token", type=str, description="of a reply that was declined"),
    ExtraOption(name="diagnostics", type=_OBJECT, description="asks why a cache was missed"),
    ExtraOption(name="billing_policy", type=_OBJECT, description="whom the vendor bills"),
    ExtraOption(name="user_profile_id", type=str, description="a user profile at the vendor"),
    ExtraOption(name="workspace_id", type=str, description="a workspace at the vendor"),
)

_HOSTED = ("thinking", "output_config", "hosted_tools", "tool_fields", "tool_choice", "betas", "cache_control", "context_management")


def hosted_messages_options(api: str = "") -> list[ExtraOption]:
    """Those of them that the clouds take which host this wire; `api` as in ExtraOption."""
    return [structs.replace(option, api=api) for option in MESSAGES_OPTIONS if option.name in _HOSTED]
