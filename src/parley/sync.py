"""Parley without asyncio, for scripts: `parley.sync.chat("openai/gpt-5-mini", "Hi")`. Only the door; the work is in dispatch."""

from __future__ import annotations

from parley.dispatch.blocking import chat, close, configure, embed, providers, stream, test

__all__ = ["chat", "close", "configure", "embed", "providers", "stream", "test"]
