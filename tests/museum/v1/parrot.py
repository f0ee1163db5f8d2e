"""Parrot: a class derived from Provider. It streams what it was told, word by word, and has no key and no server."""

from typing import Annotated

import parley


class ParrotConfig(parley.Config):  # PARROT_PATIENCE=3
    api_key: str = ""
    model: str = "grey"
    patience: Annotated[int, parley.Setting("so often it listens before it flies away", example="3")] = 100


class Parrot(parley.Provider):
    name = "parrot"
    label = "Parrot"
    description = "Says what you say"
    config_type = ParrotConfig
    capabilities = parley.Capabilities(images=False, usage=True)
    models = (parley.Model("grey", label="Grey"), parley.Model("macaw"))
    limits = parley.Limits(concurrency=2)
    extra_options = (parley.ExtraOption(name="loud", type=bool, description="in capitals"),)
    docs_url = "https://parrot.example"
    local = True
    contract_version = 1

    def __init__(self, config):
        super().__init__(config)
        self._heard = 0

    async def stream(self, request):
        self._heard += 1
        if self._heard > self.config.patience:
            raise parley.RateLimitError("the parrot has flown away", retry_after=7)
        text = request.messages[-1].text
        if request.options.extra.get("loud"):
            text = text.upper()
        yield parley.ResponseStarted(id=f"squawk-{self._heard}", model=request.options.model or self.config.model)
        yield parley.ReasoningDelta("what was that?")
        yield parley.ReasoningEnded()
        for word in text.split(" "):
            if word == "(cut)":
                raise parley.StreamTruncatedError("the parrot fell asleep")
            if word == "(crash)":
                raise KeyError("feather")
            yield f"{word} "
        if request.options.tools:
            name = request.options.tools[0].name
            yield parley.ToolCallStarted(index=0, id="call-1", name=name)
            yield parley.ToolCallDelta(index=0, arguments='{"word": ')
            yield parley.ToolCallDelta(index=0, arguments='"polly"}')
            yield parley.ToolCallEnded(index=0, call=parley.ToolCall(id="call-1", name=name, arguments='{"word": "polly"}'))
        yield parley.UsageReported(usage=parley.UsageReport(prompt_tokens=len(text), completion_tokens=len(text.split(" "))))
        reason = "tool_calls" if request.options.tools else "stop"
        yield parley.ResponseFinished(response=parley.ChatResponse(finish_reason=reason, raw_finish_reason="landed"))

    async def test_connection(self):
        return parley.ConnectionStatus(success=True, provider=self.name)

    async def list_models(self):
        return self.models

    async def embed(self, texts, options=None):
        return [[float(len(text)), 1.0] for text in texts]

    async def count_tokens(self, request):
        return sum(len(message.text) for message in request.messages)

    async def aclose(self):
        self._heard = 0
