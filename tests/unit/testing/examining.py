"""What the kit's own tests share: the findings of a provider by rule, and the seed's class as a person would port it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from parley.testing import Finding, examine, subject_of
from parley.testing.rules import RULES


def findings(given: Any, *names: str, **named: Any) -> list[Finding]:
    """What these rules find (all that apply where none is named)."""
    rules = [rule for rule in RULES if rule.name in names] if names else None
    assert rules is None or len(rules) == len(names)
    return asyncio.run(examine(subject_of(given, **named), rules))


def of_verdict(found: list[Finding], verdict: str) -> dict[str, str]:
    """The evidence by rule, of the findings with this verdict."""
    evidence: dict[str, str] = {}
    for finding in found:
        if finding.verdict == verdict:
            evidence[finding.rule] = evidence.get(finding.rule, "") + finding.evidence + "\n"
    return evidence


def failures(given: Any, *names: str, **named: Any) -> dict[str, str]:
    return of_verdict(findings(given, *names, **named), "failed")


class Sdk:
    """A vendor's SDK that answers from memory."""

    async def create_stream(self, **_: Any) -> AsyncIterator[dict[str, Any]]:
        async def chunks() -> AsyncIterator[dict[str, Any]]:
            for token in ("Good ", "day ", "to ", "you"):
                await asyncio.sleep(0)
                yield {"token": token}
            yield {"usage": {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}}

        return chunks()

    async def create_completion(self, **_: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        usage = {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
        return {"text": "Good day to you", "usage": usage, "id": "completion-1", "model": "default-model"}

    async def test_connection(self) -> None:
        await asyncio.sleep(0)


class YourProvider:
    """The seed's template, line by line, and nothing declared."""

    def __init__(self) -> None:
        self.name = "your-provider"
        self.client = Sdk()

    async def stream_response(self, messages, system_prompt, options, on_token=None, on_done=None, on_error=None):
        try:
            stream = await self.client.create_stream(
                messages=self._format_messages(messages, system_prompt),
                model=options.get("model") or "default-model",
                temperature=options.get("temperature") or 0.7,
                max_tokens=options.get("max_tokens") or 1000,
            )
            full_text, usage = "", {"promptTokens": 0, "completionTokens": 0, "totalTokens": 0}
            async for chunk in stream:
                if chunk.get("token"):
                    full_text += chunk["token"]
                    if on_token:
                        on_token(chunk["token"])
                if chunk.get("usage"):
                    usage = self._normalize_usage(chunk["usage"])
            result = {"text": full_text, "usage": usage, "id": "your-provider-1", "model": options.get("model") or "default-model"}
            if on_done:
                on_done(result)
            return result  # noqa: TRY300 - as the seed has it
        except Exception as error:
            if on_error:
                on_error(error)
            raise

    async def generate_response(self, messages, system_prompt, options):
        try:
            response = await self.client.create_completion(messages=self._format_messages(messages, system_prompt))
            return {**response, "usage": self._normalize_usage(response["usage"])}
        except Exception as error:
            raise RuntimeError(f"Your Provider API error: {error}") from error

    async def test_connection(self):
        try:
            await self.client.test_connection()
            return {"success": True, "provider": self.name}  # noqa: TRY300 - as the seed has it
        except Exception as error:
            return {"success": False, "provider": self.name, "error": str(error)}

    def _format_messages(self, messages, system_prompt):
        formatted = [{"role": "system", "content": system_prompt}] if system_prompt else []
        return formatted + [{"role": "user" if each["role"] == "user" else "assistant", "content": each["content"]} for each in messages]

    def _normalize_usage(self, usage):
        return {
            "promptTokens": usage.get("prompt_tokens") or 0,
            "completionTokens": usage.get("completion_tokens") or 0,
            "totalTokens": usage.get("total_tokens") or 0,
        }
