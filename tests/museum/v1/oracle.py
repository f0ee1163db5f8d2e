"""Oracle: a class derived from Provider that cannot stream. It answers whole, and names a finish reason."""

from parley.provider import Capabilities, ChatResponse, ContentFilterError, Provider, TextPart, ToolCall, Usage


class Oracle(Provider):
    name = "oracle"
    capabilities = Capabilities(streaming=False)

    async def generate(self, request):
        question = request.messages[-1].text
        if question == "(forbidden)":
            raise ContentFilterError("the oracle does not speak of this")
        if question == "(short)":
            return "perhaps"
        parts = [TextPart(text=f"You ask: {question}")]
        if request.options.tools:
            parts.append(ToolCall(id="o-1", name=request.options.tools[0].name, arguments='{"smoke": true}'))
        return ChatResponse(
            parts=parts,
            id="vision-1",
            model="pythia",
            finish_reason="tool_calls" if request.options.tools else "stop",
            usage=Usage(prompt_tokens=3, completion_tokens=4, total_tokens=7),
        )
