from __future__ import annotations

import json

import pytest

import parley
from parley import provider
from parley.contract.http import ResponseHead
from parley.guard.fold import Fold
from parley.testing.samples import CALL_ARGUMENTS, CALL_NAME, PIECES, WRITERS, sample_of

WIRES = {
    "openai_chat": provider.OpenAIChat(),
    "anthropic_messages": provider.AnthropicMessages(),
    "gemini_generate": provider.GeminiGenerate(),
    "openai_responses": provider.OpenAIResponses(),
    "cohere_v2": provider.CohereV2(),
    "ollama_chat": provider.OllamaChat(),
    "bedrock_converse": provider.BedrockConverse(),
}


def read(wire: str, headers: dict[str, str], body: bytes) -> Fold:
    request = parley.ChatRequest(messages=[parley.Message(role="user", content="Hi")])
    decoder = WIRES[wire].decoder(request, ResponseHead(status=200, headers=headers))
    fold = Fold()
    fold.add([*decoder.feed(body), *decoder.close()])
    return fold


def test_every_wire_that_ships_has_a_sample() -> None:
    assert set(WRITERS) == set(WIRES)
    assert sample_of("telegraph") is None


@pytest.mark.parametrize("wire", WIRES)
def test_a_sample_says_what_it_claims(wire: str) -> None:
    sample = sample_of(wire)
    assert sample is not None
    assert sample.text == "".join(PIECES)
    for answer in (sample.streamed(), sample.complete()):
        reply = parley.ChatResponse(parts=read(wire, answer.headers, answer.body).parts())
        assert reply.text == sample.text
    for answer in (sample.tool_streamed(), sample.tool_called()):
        (call,) = parley.ChatResponse(parts=read(wire, answer.headers, answer.body).parts()).tool_calls
        assert (call.name, json.loads(call.arguments)) == (CALL_NAME, CALL_ARGUMENTS)


@pytest.mark.parametrize("wire", WIRES)
def test_the_text_is_written_in_the_pieces_that_were_asked_for(wire: str) -> None:
    pieces = [f"word{number} " for number in range(60)]
    sample = sample_of(wire, pieces=pieces)
    assert sample is not None
    (part,) = read(wire, sample.stream_headers, b"".join(sample.text_events)).parts()
    assert isinstance(part, parley.TextPart)
    assert part.text == "".join(pieces)


@pytest.mark.parametrize("wire", WIRES)
def test_its_lead_says_nothing_and_what_lies_between_lead_and_end_is_the_text(wire: str) -> None:
    sample = sample_of(wire)
    assert sample is not None
    between = sample.text_events[sample.lead_events : -sample.end_events]
    inside = between if wire != "gemini_generate" else [*between, sample.text_events[-1]]  # its last text comes with the end
    assert len(inside) == len(PIECES)
    with pytest.raises(parley.ParleyError, match="something happened"):
        read(wire, sample.stream_headers, b"".join([*sample.text_events[: sample.cut_events], sample.error_event]))


@pytest.mark.parametrize("wire", WIRES)
def test_without_its_end_events_or_cut_the_stream_is_not_whole(wire: str) -> None:
    sample = sample_of(wire)
    assert sample is not None
    for events in (sample.text_events[: -sample.end_events], sample.text_events[: sample.cut_events]):
        with pytest.raises(parley.StreamTruncatedError):
            read(wire, sample.stream_headers, b"".join(events))
