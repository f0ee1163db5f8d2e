"""A wire of an author's own: whole, it passes by its recordings alone; each way in which a codec goes wrong is told by its rule."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.request
from pathlib import Path
from typing import Annotated, Any

import pytest

from parley.provider import Capabilities, OpenAIChat, ServerError, Setting
from parley.testing import examine, rules_for, subject_of
from parley.testing.rules import RULES

from .. import mars
from ..examining import failures, findings, of_verdict


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    return mars.recordings(tmp_path)


def test_a_new_wire_passes_by_its_recordings(recorded: Path) -> None:
    subject = subject_of(mars.dialect(), recordings=recorded)
    assert rules_for(subject) == list(RULES), "its author is the only one who tests it"
    found = asyncio.run(examine(subject))
    assert of_verdict(found, "failed") == {}
    # What is not known of its wire cannot be acted out on the fault wall, and an object has no file beside which a test could stand.
    assert of_verdict(found, "not_run").keys() == {"selected_faults", "every_fault", "registration", "unit_tests"}
    passed = of_verdict(found, "passed")
    assert "6 of 6 recordings" in passed["recordings"]
    assert "after 40 of 60 tokens the connection is reset (streamed)" in passed["every_fault"]
    assert "get_weather arrives whole in both forms" in passed["tool_calls"]


def test_without_recordings_it_says_what_it_needs() -> None:
    found = findings(mars.dialect())
    assert of_verdict(found, "failed") == {}
    assert 'recordings of the wire "mars"' in of_verdict(found, "not_run")["one_ending"]
    assert "one_ending" not in of_verdict(found, "passed")


def test_recordings_are_found_where_they_are_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(**named: Any) -> int:
        return len(subject_of(mars.dialect(), **named).recordings)

    working, elsewhere, tests = tmp_path / "here", tmp_path / "elsewhere", tmp_path / "package" / "tests"
    here, around = working / "recordings" / "mars", tests.parent / "recordings" / "mars"
    for folder in (elsewhere / "mars", working, tests, around):
        folder.mkdir(parents=True)
    mars.recordings(elsewhere / "mars")
    mars.recordings(around)
    monkeypatch.chdir(working)
    monkeypatch.delenv("PARLEY_RECORDINGS", raising=False)
    assert seen() == 0
    monkeypatch.setenv("PARLEY_RECORDINGS", str(elsewhere))
    assert seen() == 6
    here.mkdir(parents=True)
    mars.write(here, "stream", mars.STREAM)
    assert seen() == 1, "what was recorded here counts first"
    assert seen(beside=tests) == 6
    assert seen(recordings=tests, beside=tests) == 0, "where a place is named, no other is looked at"


def test_one_that_breaks_on_a_split_is_seen(recorded: Path) -> None:
    found = failures(mars.with_decoder(mars.LineDecoder), "any_split", "recordings", recordings=recorded)
    assert "a byte at a time, the answer is" in found["any_split"]
    assert "a byte at a time, it gives another answer than whole" in found["recordings"]


def test_one_that_ends_cut_streams_in_stop_is_seen(recorded: Path) -> None:
    found = failures(mars.with_decoder(mars.HopefulDecoder), "one_cut", "every_cut", recordings=recorded)
    assert "as if nothing were missing" in found["one_cut"]
    assert "cut after 1 of 5 events" in found["every_cut"]


def test_a_codec_that_raises_is_told_with_the_place(recorded: Path) -> None:
    class Forgets(mars.Mars):
        def encode(self, request, *, target, stream):
            list(request.options.tools)
            return super().encode(request, target=target, stream=stream)

    found = findings(mars.dialect(Forgets()), "history", recordings=recorded)
    [told] = [finding for finding in found if finding.verdict == "failed"]
    assert "encode raises TypeError: 'NoneType' object is not iterable (test_codecs.py, line " in told.evidence
    assert "options may be None" in told.remedy


def test_what_a_wire_of_its_own_says_it_can_is_looked_for_in_its_recordings(recorded: Path) -> None:
    def advised(**named: Any) -> dict[str, str]:
        return of_verdict(findings(mars.dialect(), "proof", **named), "advice")

    assert advised(recordings=recorded) == {}
    for kind in ("tools", "tools-stream"):
        (recorded / f"{kind}.json").unlink()
    assert "no recording shows: tools" in advised(recordings=recorded)["proof"]
    assert advised() == {}, "without any, how it answers was not seen at all"


def test_lost_counts_are_seen(recorded: Path) -> None:
    found = failures(mars.with_decoder(mars.ForgetfulDecoder), "usage", "conduct", recordings=recorded)
    assert "usage is declared" in found["usage"]
    assert "usage: " in found["conduct"]


def test_lost_counts_are_seen_in_the_recording_where_nothing_is_declared(recorded: Path) -> None:
    wire = mars.with_decoder(mars.ForgetfulDecoder).wire
    wire.capabilities = Capabilities(streaming=True)
    assert 'the service sent "heard_tokens": 5' in failures(mars.dialect(wire), "usage", recordings=recorded)["usage"]


def test_foreign_exceptions_are_seen(recorded: Path) -> None:
    found = failures(mars.with_decoder(mars.ForeignDecoder), "no_answer", "conduct", recordings=recorded)
    assert "foreign_exception: JSONDecodeError" in found["conduct"]


def test_an_error_inside_a_stream_that_is_passed_over_is_seen(recorded: Path) -> None:
    found = findings(mars.with_decoder(mars.DeafToErrorsDecoder), "error_inside", recordings=recorded)
    assert "error-stream.json: StreamTruncatedError" in of_verdict(found, "advice")["error_inside"]


def test_an_error_that_swallows_what_came_before_it_is_seen(recorded: Path) -> None:
    found = failures(mars.with_decoder(mars.HastyDecoder), "recordings", recordings=recorded)
    assert "error-stream.json: a byte at a time, it gives another answer than whole" in found["recordings"]


class Fetching(mars.Mars):
    def encode(self, request, *, target, stream):
        Path("/dev/null").read_bytes()
        return super().encode(request, target=target, stream=stream)


class Asking(mars.Mars):
    def encode(self, request, *, target, stream):
        with contextlib.suppress(OSError):
            urllib.request.urlopen("https://vendor.example/picture.png")
        return super().encode(request, target=target, stream=stream)


class Waiting(mars.Mars):
    def decoder(self, request, head):
        asyncio.get_running_loop()
        return super().decoder(request, head)


@pytest.mark.parametrize(
    ("wire", "evidence"),
    [
        (Fetching(), "encode or decode uses open '/dev/null'"),
        (Asking(), "encode or decode uses urllib.Request 'https://vendor.example/picture.png'"),
        (Waiting(), "Waiting.decoder uses asyncio"),
    ],
)
def test_one_that_does_io_is_seen(recorded: Path, wire: Any, evidence: str) -> None:
    assert evidence in failures(mars.dialect(wire), "purity", recordings=recorded)["purity"]


def test_one_that_needs_an_event_loop_is_seen(recorded: Path) -> None:
    assert "without an event loop it raises RuntimeError" in failures(mars.dialect(Waiting()), "purity", recordings=recorded)["purity"]


def test_a_key_in_the_url_is_seen(recorded: Path) -> None:
    class InUrl:
        def __init__(self, config: mars.MarsConfig) -> None:
            self.key = config.api_key

        async def apply(self, request):
            from msgspec import structs

            return structs.replace(request, url=f"{request.url}?key={self.key}")

    assert "the key is in the URL" in failures(mars.dialect(auth=InUrl), "redaction", recordings=recorded)["redaction"]


class Fetched:
    """Credentials that have to be fetched."""

    def __init__(self, config: Any) -> None:
        self.token = getattr(config, "token", "")

    async def apply(self, request):
        if not self.token:
            await asyncio.to_thread(urllib.request.urlopen, "https://login.vendor.example/token", timeout=5)
        return request


class TokenConfig(mars.MarsConfig):
    token: Annotated[str, Setting("a token that is used as it is", secret=True)] = ""


def test_credentials_that_cannot_be_had_offline_are_needed_and_never_passed(recorded: Path) -> None:
    unseen = findings(mars.dialect(OpenAIChat(), auth=Fetched), "one_ending", "conduct", "recordings", recordings=recorded)
    assert {finding.verdict for finding in unseen} == {"not_run"}
    assert "it connects to login.vendor.example:443" in unseen[0].evidence


def test_a_token_that_may_be_given_is_given() -> None:
    given = mars.dialect(OpenAIChat(), auth=Fetched, config=TokenConfig)
    assert of_verdict(findings(given, "one_ending"), "failed") == {}
    assert "one_ending" in of_verdict(findings(given, "one_ending"), "passed")


class ForgettingIds(mars.Mars):
    def encode(self, request, *, target, stream):
        encoded = super().encode(request, target=target, stream=stream)
        body = json.loads(encoded.body)
        for line in body["lines"]:
            for number, result in enumerate(line.get("results", [])):
                result["id"] = f"result {number}"
        return type(encoded)(method="POST", url=encoded.url, headers=encoded.headers, body=json.dumps(body).encode())


class Keeping(mars.Mars):
    """Sends on what another provider attached for itself."""

    def encode(self, request, *, target, stream):
        encoded = super().encode(request, target=target, stream=stream)
        kept = [part.provider_data.data for message in request.messages for part in message.parts if part.provider_data]
        return type(encoded)(
            method="POST", url=encoded.url, headers=encoded.headers, body=encoded.body[:-1] + b', "kept": ' + _json(kept) + b"}"
        )


def _json(value: Any) -> bytes:
    from msgspec import json as encoder

    return encoder.encode(value)


def test_results_that_lose_their_calls_are_seen(recorded: Path) -> None:
    assert "bears no name or id" in failures(mars.dialect(ForgettingIds()), "history", recordings=recorded)["history"]


def test_foreign_data_that_is_sent_on_is_seen(recorded: Path) -> None:
    assert "attached for itself is sent" in failures(mars.dialect(Keeping()), "history", recordings=recorded)["history"]


def test_a_capability_that_is_claimed_and_not_sent_is_seen(recorded: Path) -> None:
    found = failures(mars.dialect(capabilities=Capabilities(top_k=True)), "options", recordings=recorded)
    assert "top_k is declared as supported, but nothing that is sent changes with it" in found["options"]


def test_a_capability_that_nothing_does_is_seen() -> None:
    found = failures(mars.dialect(capabilities=Capabilities(embeddings=True, list_models=True)), "capabilities")
    assert "embeddings is declared" in found["capabilities"]
    assert "list_models is declared" in found["capabilities"]


class OneForAll(mars.Mars):
    """One decoder for every answer."""

    def __init__(self) -> None:
        self.only = mars.MarsDecoder()

    def decoder(self, request, head):
        if self.only.ended:
            self.only.__init__()
        return self.only


def test_state_that_calls_share_is_seen(recorded: Path) -> None:
    assert "interleaved" in failures(mars.dialect(OneForAll()), "interleaved", recordings=recorded)


class NoWords(mars.Mars):
    def decode_error(self, head, body):
        return ServerError("it failed", status=500)


def test_an_error_that_ignores_the_status_is_seen(recorded: Path) -> None:
    found = failures(mars.dialect(NoWords()), "statuses", "bodies", recordings=recorded)
    assert "429: the error is ServerError" in found["statuses"]
    assert "stream, 400 with flat: the error is ServerError" in found["bodies"]
    assert "more like these" in found["bodies"]


class Breaking(mars.Mars):
    def decode_error(self, head, body):
        raise KeyError(json.loads(body)["error"]["message"])


def test_a_body_of_another_shape_that_breaks_the_codec_is_seen(recorded: Path) -> None:
    found = failures(mars.dialect(Breaking()), "bodies", "conduct", recordings=recorded)
    assert "400 with flat: the error is ProtocolError (mars failed with KeyError" in found["bodies"]
    assert "foreign_exception" in found["conduct"]


def test_a_damaged_recording_is_told_by_its_name(recorded: Path) -> None:
    (recorded / "broken.json").write_text("{", encoding="utf-8")
    found = failures(mars.dialect(), "recordings", recordings=recorded)
    assert "broken.json is not a recording" in found["recordings"]


def test_an_answer_that_was_recorded_and_becomes_an_error_is_seen(recorded: Path) -> None:
    mars.write(recorded, "reasoning-stream", [{"words": "Red "}])
    assert (
        "it is recorded as an answer, and becomes StreamTruncatedError"
        in failures(mars.dialect(), "recordings", recordings=recorded)["recordings"]
    )


class Lossy(OpenAIChat, frozen=True):
    """A shipped wire with a quirk that loses an option."""

    def finish_body(self, body, request, *, target):
        return {name: value for name, value in body.items() if name not in {"temperature", "stop"}}


def test_a_dialects_own_quirk_is_looked_at_whole() -> None:
    lossy = mars.dialect(Lossy(), name="lossy")
    assert rules_for(subject_of(lossy)) == list(RULES)
    found = failures(lossy, "options", "strictness")
    assert "temperature is not known to be missing; nothing that is sent changes with it" in found["options"]
    assert "temperature 0 is sent as if it had not been asked for" in found["strictness"]


def test_a_dialect_of_a_shipped_wire_passes_with_the_rules_of_a_provider() -> None:
    subject = subject_of(mars.dialect(OpenAIChat(), name="acme"))
    rules = rules_for(subject)
    assert {rule.scope for rule in rules} == {"provider"}
    assert of_verdict(asyncio.run(examine(subject)), "failed") == {}
