"""The first guide's class, word for word in Python: three methods with callbacks, dicts in and out, helpers of its own."""

import math
import time

from your_provider_sdk import YourProviderSDK


class YourProvider:
    def __init__(self, config):
        self.name = "your-provider"
        self.client = YourProviderSDK(
            api_key=config.api_key,
            endpoint=config.endpoint,
        )

    async def stream_response(self, *, messages, system_prompt, options=None, on_token=None, on_done=None, on_error=None):
        options = options or {}
        try:
            # Format messages for your provider
            formatted_messages = self._format_messages(messages, system_prompt)

            # Create streaming request
            stream = self.client.create_stream(
                messages=formatted_messages,
                model=options.get("model") or "default-model",
                temperature=options.get("temperature") or 0.7,
                max_tokens=options.get("max_tokens") or 1000,
            )

            full_text = ""
            usage = {"promptTokens": 0, "completionTokens": 0, "totalTokens": 0}

            # Process stream
            async for chunk in stream:
                if chunk.get("token"):
                    full_text += chunk["token"]
                    if on_token:
                        on_token(chunk["token"])

                if chunk.get("usage"):
                    usage = self._normalize_usage(chunk["usage"])

            result = {
                "text": full_text,
                "usage": usage,
                "id": f"your-provider-{int(time.time() * 1000)}",
                "model": options.get("model") or "default-model",
            }

            if on_done:
                on_done(result)

            return result
        except Exception as error:
            if on_error:
                on_error(error)
            raise

    async def generate_response(self, *, messages, system_prompt, options=None):
        options = options or {}
        try:
            formatted_messages = self._format_messages(messages, system_prompt)

            response = await self.client.create_completion(
                messages=formatted_messages,
                model=options.get("model") or "default-model",
                temperature=options.get("temperature") or 0.7,
                max_tokens=options.get("max_tokens") or 1000,
            )

            return {
                "text": response["text"],
                "usage": self._normalize_usage(response["usage"]),
                "id": response["id"],
                "model": response["model"],
            }
        except Exception as error:
            raise Exception(f"Your Provider API error: {error}")

    async def test_connection(self):
        try:
            # Test API connectivity
            await self.client.test_connection()
            return {"success": True, "provider": self.name}
        except Exception as error:
            return {"success": False, "provider": self.name, "error": str(error)}

    # Helper methods
    def _format_messages(self, messages, system_prompt):
        formatted = []

        if system_prompt:
            formatted.append({"role": "system", "content": system_prompt})

        for msg in messages:
            formatted.append(
                {
                    "role": "user" if msg["role"] == "user" else "assistant",
                    "content": msg["content"],
                }
            )

        return formatted

    def _normalize_usage(self, usage):
        # Normalize usage object to standard format
        return {
            "promptTokens": usage.get("prompt_tokens") or usage.get("inputTokens") or 0,
            "completionTokens": usage.get("completion_tokens") or usage.get("outputTokens") or 0,
            "totalTokens": usage.get("total_tokens") or usage.get("totalTokens") or 0,
        }

    def _estimate_tokens(self, text):
        # Rough estimation if provider doesn't provide token counts
        return math.ceil(len(text or "") / 4)
