"""The documentation page of one provider, derived from its declaration, its codec and its proof. Knows no vendor; writes Markdown.

The same page is made for what ships and for a plugin: what an author declares is all there is to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from parley.contract import errors
from parley.contract.capabilities import Capabilities, Limits, Model
from parley.contract.codec import Codec
from parley.contract.errors import ParleyError, ProviderError
from parley.contract.http import ResponseHead
from parley.contract.options import Options
from parley.contract.pricing import Price
from parley.guard.retry import RetryPolicy
from parley.guard.timers import table_column
from parley.registry.description import FieldDescription, ProviderDescription
from parley.registry.discovery import BUILT_IN
from parley.registry.price_list import ListedModel, Seller, find_model
from parley.registry.proof import Graded, Proof, grade_of

YES, NO, UNKNOWN = "✅", "❌", "❓"
FEATURES = {
    "streaming": "Streaming",
    "tools": "Tool calls",
    "tool_choice": "A tool call can be demanded or forbidden",
    "parallel_tool_calls": "Several tool calls at once can be allowed or forbidden",
    "response_format": "Answers in JSON",
    "structured_output": "Answers that fit a JSON Schema",
    "images": "Images",
    "image_urls": "Images by their URL",
    "files": "Files",
    "reasoning": "Reasoning is shown",
    "reasoning_effort": "Reasoning effort",
    "temperature": "Temperature",
    "top_p": "Top P",
    "top_k": "Top K",
    "max_tokens": "Longest answer",
    "stop": "Stop sequences",
    "seed": "Seed",
    "frequency_penalty": "Frequency penalty",
    "presence_penalty": "Presence penalty",
    "cache_markers": "Prompt cache markers",
    "citations": "Citations",
    "usage": "Token counts are reported",
    "list_models": "List of models",
    "embeddings": "Embeddings",
    "count_tokens": "Counting tokens beforehand",
}
_HOW = {"native": "enforced by the vendor", "tool": "by a tool that must be called", "prompt": "asked for in words"}
_STATUSES = (400, 401, 402, 403, 404, 413, 422, 429, 500, 503, 529)


def provider_page(description: ProviderDescription, *, wire: Codec | None, proof: Proof, prices_at: datetime | None = None) -> str:
    """The page, ending in a line break. `prices_at` is the moment for which prices are told (default: now)."""
    sections = (
        _opening(description, wire),
        _configuration(description),
        _models(description, wire, prices_at),
        _embedding_models(description),
        _features(description, wire, proof),
        _limits(description),
        _errors(description, wire, proof),
        _troubleshooting(description, wire),
        _testing(description),
    )
    return "\n".join(line for section in sections for line in section) + "\n"


_PART_OF = {"image_urls": "images", "structured_output": "response_format", "tool_choice": "tools", "parallel_tool_calls": "tools"}
"""What there cannot be without the other."""


def mark_of(description: ProviderDescription, capability: str, graded: Graded) -> str:
    """✅ declared or shown by the vendor's own recording, ❌ declared as missing or never sent, ❓ unknown."""
    declared = getattr(description.capabilities, capability)
    if declared is None and getattr(description.capabilities, _PART_OF.get(capability, capability)) is False:
        return NO
    if declared is False or graded.evidence.verdict in {"left out", "refused"}:
        return NO
    return YES if declared or graded.grade == "vendor-proven" else UNKNOWN


def _opening(description: ProviderDescription, wire: Codec | None) -> Iterator[str]:
    yield f"# {_line(description.label or description.name)}\n"
    what = [_line(description.description).rstrip(".")] if description.description else []
    what.append(f"Its name in Parley is `{description.name}`")
    if wire is not None:
        what.append(f"it speaks the wire `{wire.name}`")
    if description.local:
        what.append("it runs on your own machine")
    where = "" if description.origin == BUILT_IN else f" It comes from {_line(description.origin)}."
    heading, *rest = what
    yield f"{heading}. {'; '.join(rest)}.{where}" if description.description else f"{'; '.join(what)}.{where}"
    if description.docs_url:
        yield f"\nThe vendor's own documentation: <{_line(description.docs_url)}>"


def _configuration(description: ProviderDescription) -> Iterator[str]:
    yield "\n## Configuration\n"
    required = [f"`{field.variables[0]}`" for field in description.fields if field.required]
    are = "is" if len(required) == 1 else "are"
    needs = f"It is ready once {' and '.join(required)} {are} set" if required else "It is ready as it is. Settings are made"
    yield f"{needs} in the environment, in `.env` or in `parley.toml`."
    yield f"`parley provider env {description.name}` prints the lines for `.env`.\n"
    yield "| variable | default | what it is |\n|---|---|---|"
    for field in description.fields:
        names = " or ".join(f"`{variable}`" for variable in field.variables)
        default = "**required**" if field.required else _code(field.default)
        yield f"| {names} | {default} | {_cell(_explained(field))} |"


def _explained(field: FieldDescription) -> str:
    remarks = [field.help] if field.help else []
    if field.example.startswith(("{", "[")):
        remarks.append(f"as JSON, for example `{field.example}`")
    elif field.example and not field.default:
        remarks.append(f"for example `{field.example}`")
    if field.secret:
        remarks.append("kept out of every output")
    return "; ".join(remarks)


def _models(description: ProviderDescription, wire: Codec | None, prices_at: datetime | None) -> Iterator[str]:
    yield "\n## Models\n"
    if not description.models:
        default = f"Asked without a name, it uses `{description.model}`. " if description.model else ""
        yield f"{default}No model is listed here: any id is sent as it is."
        return
    others = "These are listed; any other id that the vendor knows is sent as it is." if wire is not None else "These are listed."
    listed = [_listed(description, model, prices_at) for model in description.models]
    prices = [found.price() if found else None for found in listed]
    said = next((price for price in prices if price), None)
    dollars = f" Prices are US dollars per million tokens of input and output, by {said.source} on {said.as_of}." if said else ""
    yield f"{others}{dollars}\n"
    head = "| model | name | what it is for | context |"
    yield f"{head} price |\n|---|---|---|---|---|" if said else f"{head}\n|---|---|---|---|"
    for model, found, price in zip(description.models, listed, prices, strict=True):
        default = " (default)" if model.id == description.model else ""
        tokens = model.context_tokens or (found.context_tokens if found else 0)
        context = f"{tokens:,} tokens" if tokens else "unknown"
        row = f"| `{_cell(model.id)}`{default} | {_cell(model.label)} | {_cell(model.description)} | {context} |"
        yield f"{row} {_dollars(price)} |" if said else row


def _embedding_models(description: ProviderDescription) -> Iterator[str]:
    if not description.embedding_models:
        return
    yield f"\nFor embeddings, the first where a request names `{description.name}` alone:\n"
    yield "| model | name | what it is for | longest text |\n|---|---|---|---|"
    for model in description.embedding_models:
        longest = f"{model.context_tokens:,} tokens" if model.context_tokens else "unknown"
        yield f"| `{_cell(model.id)}` | {_cell(model.label)} | {_cell(model.description)} | {longest} |"


def _listed(description: ProviderDescription, model: Model, prices_at: datetime | None) -> ListedModel | None:
    """The model in the price list. What runs on the operator's machine has no price, and of a plugin nobody knows who sells it."""
    if description.local or description.origin != BUILT_IN:
        return None
    return find_model(Seller(name=description.provider), model.id, at=prices_at)


def _dollars(price: Price | None) -> str:
    return "unknown" if price is None else f"{price.input:g} / {price.output:g}"


def _features(description: ProviderDescription, wire: Codec | None, proof: Proof) -> Iterator[str]:
    yield "\n## Features\n"
    yield f"{YES} works, {NO} does not, {UNKNOWN} is not known and is sent as asked.\n"
    yield "| | feature | proof | |\n|---|---|---|---|"
    for capability in Capabilities.__struct_fields__:
        declared = getattr(description.capabilities, capability)
        graded = grade_of(proof, description.name, capability, declared=declared, wire=wire)
        mark = mark_of(description, capability, graded)
        yield f"| {mark} | {FEATURES.get(capability, capability)} | {_proof(graded, mark)} | {_remark(description, capability, graded)} |"
    yield from _other_apis(description, proof)
    yield (
        "\n*Vendor-proven*: a recorded exchange with this vendor shows it. *Wire-proven*: one with another vendor on the same wire does, "
        "and this provider sends it alike. *Claimed*: declared, and no recording shows it. *Stale*: the code has changed since."
    )


def _other_apis(description: ProviderDescription, proof: Proof) -> Iterator[str]:
    """What is proven of each further API, in a sentence; the table is of the one that is spoken unasked."""
    variable = next((field.variables[0] for field in description.fields if field.name == "api"), "")
    proven = proof.providers.get(description.name)
    for api, other in (proven.apis if proven else {}).items():
        by_grade = {
            grade: [FEATURES.get(name, name) for name, evidence in other.capabilities.items() if evidence.grade == grade]
            for grade in ("vendor-proven", "wire-proven")
        }
        told = "; ".join(f"{grade} {', '.join(names)}" for grade, names in by_grade.items() if names)
        yield f"\nWith `{variable}={api}` it speaks the wire `{other.wire}`: {told or 'claimed'}."


def _proof(graded: Graded, mark: str) -> str:
    if mark == NO or graded.grade == "not claimed":
        return ""
    words = f"{graded.grade}, stale" if graded.stale else graded.grade
    return f"{words}: `{graded.recording}`" if graded.recording else words


def _remark(description: ProviderDescription, capability: str, graded: Graded) -> str:
    declared = getattr(description.capabilities, capability)
    verdict = graded.evidence.verdict
    if verdict in {"left out", "refused"}:
        return "left out, with a warning" if verdict == "left out" else "refused before anything is sent"
    remarks = [_HOW.get(declared, "")] if capability == "structured_output" and isinstance(declared, str) else []
    unable = {model.id: None for model in description.models if getattr(model.capabilities, capability) is False}
    unable |= dict.fromkeys(graded.evidence.not_by)
    if unable:
        remarks.append(f"not by {', '.join(f'`{model}`' for model in unable)}")
    return _cell("; ".join(remark for remark in remarks if remark))


def _limits(description: ProviderDescription) -> Iterator[str]:
    yield "\n## Limits\n"
    known = [
        f"{getattr(description.limits, name):,} {_words(name)}" for name in Limits.__struct_fields__ if getattr(description.limits, name)
    ]
    yield f"- The vendor's: {', '.join(known) if known else 'none known'}."
    if variable := _variable(description, "limits"):
        yield f"- Ours: Parley itself holds nobody back; `{variable}` says what your account may do."
    column = table_column(local=description.local, capabilities=description.capabilities, options=Options())
    stages = ("to connect", column.connect), ("to the first token", column.first_token), ("between two", column.idle)
    timers = ", ".join(f"{seconds:g} s {stage}" for stage, seconds in stages)
    setting = f"; `{_variable(description, 'timeouts')}` changes it" if _variable(description, "timeouts") else ""
    yield f"- Patience: {timers}, {column.total / 60:g} min in all{setting}."
    retry = RetryPolicy()
    yield f"- Where another try may help there are {retry.tries} within {retry.window_seconds:g} s, none before `retry_after` is over."


def _errors(description: ProviderDescription, wire: Codec | None, proof: Proof) -> Iterator[str]:
    yield "\n## Error codes\n"
    if not _calls_somebody(description, wire):
        yield "It calls nobody: its errors are its own, and say what to do."
        return
    proven = proof.providers.get(description.name)
    seen = proven.errors if proven else ()
    if seen:
        yield "What this vendor was recorded with:\n"
        yield "| status | its own code | error | what to do |\n|---|---|---|---|"
        for each in seen:
            kind = getattr(errors, each.error, ProviderError)
            yield f"| {each.status} | {_code(each.provider_code)} | `{each.error}` | {_cell(_remedy(description, kind))} |"
        yield ""
    yield "What a status means where the vendor says no more:\n"
    yield "| status | error | `code` | what to do |\n|---|---|---|---|"
    meant: dict[type[ParleyError], list[str]] = {}
    for status in _STATUSES:
        meant.setdefault(type(_error_of(wire, status)), []).append(str(status))
    for kind, statuses in meant.items():
        yield f"| {', '.join(statuses)} | `{kind.__name__}` | `{kind.code}` | {_cell(_remedy(description, kind))} |"
    for kind in (errors.ConnectError, errors.ProviderTimeoutError, errors.StreamTruncatedError, errors.MissingCredentialError):
        if kind is not errors.MissingCredentialError or _needs_key(description):
            yield f"| – | `{kind.__name__}` | `{kind.code}` | {_cell(_remedy(description, kind))} |"


def _error_of(wire: Codec | None, status: int) -> ParleyError:
    if wire is None:
        return errors.error_class_for_status(status)("")
    return wire.decode_error(ResponseHead(status=status), b"")


def _remedy(description: ProviderDescription, kind: type[ParleyError]) -> str:
    """What a person can do about an error of this kind, with this provider's own variables and commands."""
    key, endpoint = _variable(description, "api_key"), _variable(description, "endpoint")
    timeouts = _variable(description, "timeouts")
    remedies: dict[type[ParleyError], str] = {
        errors.MissingCredentialError: f"set `{key}`",
        errors.AuthenticationError: f"check `{key}`: copied whole, not revoked, of the right account" if key else "check its credentials",
        errors.PermissionDeniedError: "the key is good but may not do this; give it the permission, or choose another model",
        errors.QuotaExceededError: "the account has no credit left; waiting does not help",
        errors.RateLimitError: "wait `retry_after` seconds; see *Rate limiting* below",
        errors.OverloadedError: "the vendor is over capacity; try again later, or let another provider answer",
        errors.ServerError: "the vendor's fault; it is tried again by itself",
        errors.ContextLengthError: "shorten the conversation, or choose a model with more context",
        errors.ContentFilterError: "the vendor's policy refuses; word it otherwise",
        errors.ModelNotFoundError: f"check the model's id; `parley provider test {description.name}` says whether the key works",
        errors.ConnectError: f"check the network and `{endpoint}`" if endpoint else "check the network",
        errors.ProviderTimeoutError: f"a longer limit: `{timeouts}`" if timeouts else "give it longer",
        errors.StreamTruncatedError: "the connection was cut; what came is in `partial`. Ask again",
        errors.ProtocolError: f"check `{endpoint}`: something else answered there" if endpoint else "what answered is no such provider",
        errors.RequestRejectedError: "the message says what the vendor refuses; change the request",
    }
    return next((remedies[each] for each in kind.__mro__ if each in remedies), "see the message")


def _troubleshooting(description: ProviderDescription, wire: Codec | None) -> Iterator[str]:
    yield "\n## Troubleshooting\n"
    if _calls_somebody(description, wire):
        yield from _troubles_with_others(description)
    yield "**Token counts.**"
    yield _counting(description)
    yield f"\n**Anything else.** `LOG_LEVEL=debug parley chat -p {description.name} Hi` shows every request and reply, without secrets."


def _troubles_with_others(description: ProviderDescription) -> Iterator[str]:
    name, key, endpoint = description.name, _variable(description, "api_key"), _variable(description, "endpoint")
    yield "**Authentication.**"
    if key:
        yield f"`parley doctor` says from where `{key}` is read, and `parley provider test {name}` whether it is accepted."
    else:
        yield f"`parley provider test {name}` says whether it can be reached."
    if endpoint:
        given = _endpoint(description)
        goes = f"is {_code(given)} unless you set it" if given else "says where it goes"
        yield f"A key of one place is refused at another: `{endpoint}` {goes}."
    yield "\n**Rate limiting.**"
    yield "`RateLimitError` is the vendor's own limit; `retry_after` says how many seconds to wait. What may wait is tried again."
    yield "Fewer requests at once help; so does another provider to turn to."
    yield "\n**Streaming.**"
    yield "An answer that breaks off is `StreamTruncatedError`, never a success. If text comes all at once, something in between collects"
    proxy = _variable(description, "proxy")
    between = f"a proxy (`{proxy}`)" if proxy else "a proxy"
    yield f"it: {between}, or a web server before Parley. `parley chat -p {name} --stream Hi` shows what arrives without one.\n"


def _counting(description: ProviderDescription) -> str:
    reported = description.capabilities.usage
    if reported is False:
        return "This provider reports none: they are estimated, and `usage.source` is `estimated`."
    words = "The vendor's counts are passed on" if reported else "Where counts are reported they are passed on"
    return f"{words} (`usage.source` is `reported`). What is missing is estimated and says so (`estimated`, `mixed`); it is never 0."


def _testing(description: ProviderDescription) -> Iterator[str]:
    name = description.name
    yield "\n## Testing it\n"
    yield "```sh"
    yield f"parley provider check {name}       # offline, without a key: contract, configuration, documentation"
    yield f"parley provider test {name}        # can it be reached, is the key accepted"
    yield f'parley chat -p {name} "Hi"         # one answer'
    yield "curl http://127.0.0.1:4000/api/v1/providers"
    if description.origin == BUILT_IN:
        yield f"pytest -m contract -k {name}"
    yield "```"


def _calls_somebody(description: ProviderDescription, wire: Codec | None) -> bool:
    """A class that wants no key and no endpoint answers by itself, as far as anybody can tell."""
    return wire is not None or _needs_key(description) or bool(_endpoint(description))


def _needs_key(description: ProviderDescription) -> bool:
    return any(field.name == "api_key" and field.required for field in description.fields)


def _variable(description: ProviderDescription, name: str) -> str:
    return next((field.variables[0] for field in description.fields if field.name == name), "")


def _endpoint(description: ProviderDescription) -> str:
    return next((field.default for field in description.fields if field.name == "endpoint"), "")


def _words(name: str) -> str:
    return name.replace("_per_", " per ").replace("concurrency", "requests at once")


def index_page(descriptions: Sequence[ProviderDescription], proof: Proof) -> str:
    """The table of all these providers, each linked to its page."""
    shown = ("streaming", "tools", "structured_output", "images", "files", "reasoning")
    lines = ["# Providers\n"]
    lines.append("Each has a page: configuration, models, what it can and how well that is proven, errors, troubleshooting.\n")
    lines.append(f"{YES} works, {NO} does not, {UNKNOWN} is not known and is sent as asked.\n")
    lines.append(
        "*Proof*: vendor = recorded exchanges with this vendor show it; wire = others' on the same wire do; claimed = no recording does.\n"
    )
    lines.append(f"| provider | what it is | to set | proof | {' | '.join(FEATURES[name] for name in shown)} |")
    lines.append("|---" * (len(shown) + 4) + "|")
    for description in descriptions:
        required = ", ".join(f"`{field.variables[0]}`" for field in description.fields if field.required)
        declared = {name: getattr(description.capabilities, name) for name in shown}
        marks = [mark_of(description, name, grade_of(proof, description.name, name, declared=declared[name])) for name in shown]
        link = f"[{_cell(description.label)}]({description.name}.md)"
        lines.append(
            f"| {link} | {_cell(description.description)} | {required or 'nothing'} | {_proven(description)} | {' | '.join(marks)} |"
        )
    return "\n".join(lines) + "\n"


def _proven(description: ProviderDescription) -> str:
    return "**claimed**" if description.proven == "claimed" else description.proven


def _line(text: str) -> str:
    """On one line: what a plugin's author wrote begins no heading and no row of its own."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""
