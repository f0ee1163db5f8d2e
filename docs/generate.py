"""Writes docs/reference, docs/providers and .env.example from the code, so that they cannot lag: `python docs/generate.py`, or
`--check` to compare only.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import inspect
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
from provider_pages import environment_example, provider_pages
from wire_pages import wire_pages

DOCS = Path(__file__).resolve().parent
NOTE = "<!-- Written by docs/generate.py from the code. Do not edit. -->\n"

CONTRACT = {
    "Messages and parts": (
        "parley.contract.messages",
        "Role Message TextPart ImagePart FilePart ReasoningPart ToolCall ToolResult ProviderData CacheLifetime",
    ),
    "Options": ("parley.contract.options", "Options ReasoningEffort Tool NamedToolChoice SchemaFormat Timeouts"),
    "Requests": ("parley.contract.request", "ChatRequest"),
    "Replies": ("parley.contract.response", "ChatResponse FinishReason Citation ResponseWarning RateLimits ConnectionStatus"),
    "Embeddings": ("parley.contract.embeddings", "EmbeddingRequest EmbeddingOptions EmbeddingPurpose Embeddings"),
    "Usage": ("parley.contract.usage", "Usage UsageSource UsageReport"),
    "Prices": ("parley.contract.pricing", "Price"),
    "Events": (
        "parley.contract.events",
        "ResponseStarted TextDelta ReasoningDelta ReasoningEnded ToolCallStarted ToolCallDelta ToolCallEnded PartAdded CitationAdded "
        "RefusalDelta UsageReported WarningRaised ResponseFinished",
    ),
    "Capabilities, models and limits": ("parley.contract.capabilities", "Capabilities Model ExtraOption Limits"),
    "Configuration": ("parley.contract.config", "Config Setting"),
    "A provider": ("parley.contract.provider", "Provider"),
    "A dialect of a known wire": ("parley.transport.http_provider", "Dialect"),
    "A new wire": ("parley.contract.codec", "Codec Decoder ListsModels Embeds Auth"),
    "For a new wire: reading replies": ("parley.wire.reply_reader", "ReplyReader"),
    "For a new wire: tool calls": ("parley.wire.tool_calls", "ToolCallAssembler ToolCallFragment"),
    "For a new wire: errors": ("parley.wire.errors", "provider_error plain_words"),
    "For a new wire: the conversation": (
        "parley.wire.history",
        "Turn turns join_system own_data ToolIds short_id result_text data_url EncodingWarnings",
    ),
    "For a new wire: JSON of no certain shape": ("parley.wire.json_values", "object_of list_of text_of count_of"),
    "For a new wire: JSON from bytes": ("parley.wire.json_events", "decode_object"),
    "For a new wire: quirks of models": ("parley.wire.model_rules", "ModelRule apply_model_rules"),
    "How a key travels": ("parley.transport.auth", "HeaderAuth NoAuth"),
    "HTTP, as codecs see it": ("parley.contract.http", "HttpRequest ResponseHead Target AuthScheme"),
}
LIBRARY = {
    "Loading a provider": ("parley.registry.loading", "load_provider"),
    "The client": ("parley.dispatch.client", "Client"),
    "A loaded provider": ("parley.guard.guarded", "GuardedProvider"),
    "Without asyncio": ("parley.sync", "chat stream embed"),
    "What a provider is shown as": ("parley.registry.description", "ProviderDescription FieldDescription"),
    "The contract as tests": ("parley.testing.suite", "ProviderContract"),
    "The contract as findings": ("parley.testing.findings", "Finding Verdict Section"),
    "A provider under test": ("parley.testing.subject", "subject_of Subject Served"),
    "Looking at it": ("parley.testing.rules", "Rule rules_for look examine"),
    "Replaying recordings": ("parley.testing.replay", "ReplayServer Answer ReceivedRequest answer_of"),
    "Recordings": (
        "parley.testing.recordings",
        "Recording RecordedRequest IndexRow find_recordings load_recording read_index recordings_directory",
    ),
    "What an option changes": ("parley.testing.payload_diff", "payload_diffs PayloadDiff"),
    "How well it is proven": ("parley.registry.proof", "read_proof grade_of Proof ProviderProof Evidence SeenError Graded"),
    "How a recording is written": ("parley.testing.recordings", "RecordingFile RecordedReply"),
    "What must not be in a recording": ("parley.testing.leaks", "secrets_in refuse_secrets"),
    "Making recordings": ("parley.testing.record", "prepare record Session Outcome"),
}
GENERAL_VARIABLES = {
    "PARLEY_CONFIG": "path of the configuration file (default `./parley.toml`)",
    "PARLEY_DEFAULT": "what answers where a request names no model: `provider/model`, or a provider",
    "PARLEY_PROVIDERS": "names, separated by commas, of OpenAI-compatible providers that are configured by variables alone",
    "PARLEY_PROVIDER_PATH": "folders with provider files, separated like PATH (default `./parley_providers`)",
    "DEMO": "`on` allows the demo in production, `off` forbids it everywhere",
    "PARLEY_RECORDINGS": "folder of recorded exchanges for the tests",
}


def fields_table(kind: type) -> Iterator[str]:
    """Fields with types and defaults, as the source writes them."""
    annotations = {name: hint for parent in reversed(kind.__mro__) for name, hint in inspect.get_annotations(parent).items()}
    names = [name for name in getattr(kind, "__struct_fields__", annotations) if not name.startswith("_")]
    if not names:
        return
    yield "\n| field | type | default |\n|---|---|---|"
    required = _required(kind)
    for name in names:
        hint = _hint(annotations.get(name, ""))
        default = "required" if name in required else f"`{_default(kind, name)}`"
        yield f"| `{name}` | `{hint}` | {default} |".replace("` | `", "` | `")


def dict_form(kind: type) -> Iterator[str]:
    """How a tagged struct is written as a dict: its tag, and the fields that must be there."""
    from msgspec import structs

    tag = getattr(getattr(kind, "__struct_config__", None), "tag", None)
    if tag is None:
        return
    fields = [f'"{field.encode_name}": …' for field in structs.fields(kind) if field.required]
    written = ", ".join([f'"type": "{tag}"', *fields])
    yield f"\nAs a dict: `{{{written}}}`, and the other fields where they are set."


def _hint(hint: Any) -> str:
    text = hint if isinstance(hint, str) else getattr(hint, "__name__", str(hint))
    text = str(hint) if "[" in str(hint) and not isinstance(hint, str) else text
    text = re.sub(r"^Annotated\[(.+?), Setting\(.*$", r"\1", text)
    return text.replace("|", "\\|")


def _required(kind: type) -> set[str]:
    if not hasattr(kind, "__struct_fields__"):
        return {name for name in inspect.get_annotations(kind) if not hasattr(kind, name)}
    from msgspec import structs

    return {field.name for field in structs.fields(kind) if field.required}


def _default(kind: type, name: str) -> str:
    if not hasattr(kind, "__struct_fields__"):
        return repr(getattr(kind, name, ""))
    from msgspec import structs

    field = next(field for field in structs.fields(kind) if field.name == name)
    value = field.default_factory() if callable(field.default_factory) else field.default
    text = f"{type(value).__name__}()" if hasattr(value, "__struct_fields__") else repr(value)
    return text.replace("|", "\\|")


def methods(kind: type) -> Iterator[str]:
    """Public methods and properties with their signatures and docstrings."""
    for name, member in vars(kind).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield f"\n#### `{name}`\n\n{inspect.getdoc(member) or ''}"
        elif inspect.isfunction(member) or isinstance(member, (classmethod, staticmethod)):
            function = member if inspect.isfunction(member) else member.__func__
            prefix = "async " if inspect.iscoroutinefunction(function) else ""
            yield f"\n#### `{prefix}{name}{_signature(function)}`\n\n{inspect.getdoc(function) or ''}"


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    parameters = [parameter for name, parameter in signature.parameters.items() if name not in {"self", "cls"}]
    return str(signature.replace(parameters=parameters)).replace("'", "")


def page(title: str, opening: str, sections: dict[str, tuple[str, str]]) -> str:
    """One page: for each section its module's public things."""
    lines = [NOTE, f"# {title}\n", opening]
    for heading, (module_name, names) in sections.items():
        module = importlib.import_module(module_name)
        lines.append(f"\n## {heading}\n\n`{module_name}`")
        for name in names.split():
            member = getattr(module, name)
            if choices := get_args(member):
                lines.append(f"\n### `{name}`\n\nOne of {', '.join(f'`{choice}`' for choice in choices)}.")
            elif inspect.isclass(member):
                lines.append(f"\n### `{name}`\n\n{inspect.getdoc(member) or ''}")
                lines += dict_form(member)
                lines += [*fields_table(member), *methods(member)]
            else:
                prefix = "async " if inspect.iscoroutinefunction(member) else ""
                lines.append(f"\n### `{prefix}{name}{_signature(member)}`\n\n{inspect.getdoc(member) or ''}")
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """The tree as its module draws it, then one row for each class."""
    from parley.contract import errors

    tree = (errors.__doc__ or "").split("\n\n", 1)[1]
    lines = [NOTE, "# Errors\n", "Every error is a `parley.ParleyError`. `message` is safe to show to a person.\n"]
    lines += [
        "```text",
        inspect.cleandoc(tree),
        "```\n",
        "| class | `code` | `action` | retryable | what it means |",
        "|---|---|---|---|---|",
    ]
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.ParleyError) and kind is not errors.ParleyError:
            meaning = " ".join((kind.__doc__ or "").split())
            lines.append(f"| `{name}` | `{kind.code}` | `{kind.action}` | {'yes' if kind.retryable else 'no'} | {meaning} |")
    lines += ["\n## From HTTP status to class\n", "| status | class |", "|---|---|"]
    lines += [f"| {status} | `{kind.__name__}` |" for status, kind in errors.STATUS_TABLE.items()]
    lines += ["| other 5xx | `ServerError` |", "| other 4xx | `RequestRejectedError` |"]
    lines.append("\nWhat a body says goes further: [vendors' errors](provider-errors.md) says what each word becomes, and what to do.")
    return "\n".join(lines) + "\n"


def vendors_errors_page() -> str:
    """What each vendor's word becomes, from the tables that decide it."""
    from parley.registry.error_page import provider_errors_page
    from parley.registry.loading import Registry
    from parley.registry.proof import read_proof

    registry = Registry.from_environment(environ={}, directory="/nonexistent")
    own = {name: getattr(registry.wire(name), "error_codes", {}) for name in registry.names()}
    return f"{NOTE}\n" + provider_errors_page({name: codes for name, codes in own.items() if codes}, read_proof())


def configuration_tables() -> Iterator[str]:
    """The tables of `parley.toml` besides a provider's own settings, from the structs that read them."""
    from parley.contract.capabilities import Limits
    from parley.registry.configuration_file import ModelEntry, OperatorPrice, Route, RouteTarget
    from parley.registry.limit_tables import CacheTable, LimitTable, QueueTable

    yield "\n## parley.toml\n"
    yield "[Configuration](../guides/configuration.md) and [Limits and cache](../guides/limits-and-cache.md) show them in use."
    tables = {
        "[[routes]]": Route,
        "targets of a route": RouteTarget,
        "models of [[providers]]": ModelEntry,
        "price of a model": OperatorPrice,
        "[limits]": LimitTable,
        "limits and key_limits of [[providers]]; user and key of [limits]": Limits,
        "queue of [limits]": QueueTable,
        "[cache]": CacheTable,
    }
    for name, table in tables.items():
        yield f"\n**{name}**: {inspect.getdoc(table)}\n"
        yield "| key | default |"
        yield "|---|---|"
        for field in msgspec.structs.fields(table):
            default = field.default_factory() if callable(field.default_factory) else field.default
            shown = (
                "**required**" if field.required else "" if default in (None, "") or isinstance(default, msgspec.Struct) else f"`{default}`"
            )
            yield f"| `{field.name}` | {shown} |"


def configuration_page() -> str:
    """Every variable: the general ones, then each built-in provider's."""
    from parley.config import describe
    from parley.registry.loading import Registry

    registry = Registry.from_environment(environ={}, directory="/nonexistent")
    lines = [NOTE, "# Configuration\n"]
    lines.append(
        "Argument, then environment, then `.env`, then `parley.toml`, then default. `parley doctor` shows which variable came from where.\n"
    )
    lines += ["| variable | what it does |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in GENERAL_VARIABLES.items())]
    lines += configuration_tables()
    lines += ["\n## The server\n", "| variable | default | what it is |", "|---|---|---|"]
    lines += [f"| `{known.variable}` | {known.default} | {known.help} |" for known in describe()]
    for description in registry.descriptions():
        lines.append(f"\n## {description.label} (`{description.name}`)\n\n{description.description}. {description.docs_url}\n")
        lines += ["| variable | default | what it is |", "|---|---|---|"]
        for field in description.fields:
            names = " or ".join(f"`{name}`" for name in field.variables)
            default = "**required**" if field.required else f"`{field.default}`" if field.default else ""
            written = f"; as JSON, for example `{field.example}`" if field.example.startswith("{") else ""
            lines.append(f"| {names} | {default} | {field.help}{written} |")
        if description.models:
            lines += ["\n| model | | context |", "|---|---|---|"]
            for model in description.models:
                context = f"{model.context_tokens:,}" if model.context_tokens else "unknown"
                lines.append(f"| `{model.id}` | {model.description} | {context} |")
    return "\n".join(lines) + "\n"


def command_line_page() -> str:
    """Every command as its own help describes it."""
    import click
    import typer

    from parley.cli.main import application

    lines = [NOTE, "# Command line\n"]

    def describe(command: Any, path: str) -> None:
        context = click.Context(command, info_name=path)
        lines.append(f"\n## `{path}`\n\n{inspect.cleandoc(command.help or '')}\n")
        rows = []
        for parameter in command.get_params(context):
            if isinstance(parameter, click.Argument) or parameter.param_type_name == "argument":
                rows.append(f"| `{(parameter.metavar or parameter.name).upper()}` | {getattr(parameter, 'help', None) or ''} |")
            elif parameter.name not in {"install_completion", "show_completion"}:
                rows.append(f"| `{_written(parameter)}` | {getattr(parameter, 'help', None) or ''} |")
        lines.extend(["| | |\n|---|---|", *rows] if rows else [])
        for name, child in getattr(command, "commands", {}).items():
            if not child.hidden:
                describe(child, f"{path} {name}")

    describe(typer.main.get_command(application()), "parley")
    return "\n".join(lines) + "\n"


def _written(parameter: Any) -> str:
    """An option as it is typed: its names, with the one that says no, and what follows it."""
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    return names if parameter.is_flag or parameter.count else f"{names} {(parameter.metavar or parameter.type.name).upper()}"


async def routes() -> tuple[list[Any], list[Any]]:
    """The server's tables of routes and of sockets, from an application that stands in an empty directory."""
    from parley.config import load_settings
    from parley.server.app import route_table, socket_table
    from parley.server.composition import Services
    from parley.server.metrics import Metrics

    with tempfile.TemporaryDirectory() as directory:
        settings = load_settings(environ={}, directory=Path(directory))
        services = await Services.open(settings, None)
        try:
            metrics = Metrics()
            return list(route_table(settings, services, metrics=metrics)), list(socket_table(settings, services, metrics=metrics))
        finally:
            await services.aclose()


def http_page() -> str:
    """Every route with its policy."""
    lines = [NOTE, "# HTTP\n", "A running server describes itself at `/api/v1/openapi.json`, with a page at `/api/v1/docs`.\n"]
    lines += ["| route | what it does | who | API key scopes |", "|---|---|---|---|"]
    documented, sockets = asyncio.run(routes())
    lines += [
        f"| {route.method} `{route.path}` | {route.summary} | {' | '.join(audience(route.policy))} |"
        for route in documented
        if route.documented
    ]
    for socket in sockets:
        lines += ["", f"## WebSocket `{socket.path}`", "", SOCKET_WORDS, "", *frame_lines(socket)]
    return "\n".join(lines) + "\n"


SOCKET_WORDS = """\
Frames are JSON texts with a `type`, at most 1 MiB each, a burst of 60 and then 20 a second. The server says `connected`; `auth` with a
token or an API key has 10 s and is answered by `auth_success` or `auth_error`, after which it closes with 4401. Answers come as the
events of `POST /api/v1/chat/message`, each with its `sessionId`; `acknowledged` says what an `id:` line says there: everything of
`messageId` up to `seq` is stored. `done` or `error` is the last event of an answer. An `error` without a `messageId` belongs to a frame
that began nothing. One socket reads an answer of each session, 32 at most; closing it stops nothing, unless the frame asked for that by
`onDisconnect`. Pages of other origins than the server's own (`PUBLIC_URL`) and `CORS_ORIGINS` get 403."""


def audience(policy: Any) -> tuple[str, str]:
    """Who may, and with which scopes an API key may."""
    if policy is None:
        return "everybody", ""
    who = "everybody" if "anonymous" in policy.principals else ", ".join(sorted(policy.principals))
    return who, ", ".join(sorted(policy.scopes))


def frame_lines(socket: Any) -> list[str]:
    """What a client may send, by the types that the server reads."""
    from parley.server.routes.socket import ClientFrame

    lines = ["| frame | fields | what it does | who | API key scopes |", "|---|---|---|---|---|"]
    for kind in get_args(ClientFrame):
        name = kind.__struct_config__.tag
        fields = ", ".join(f"`{field.encode_name}`" + ("" if field.required else "?") for field in msgspec.structs.fields(kind))
        words = " ".join(kind.__doc__.split())
        lines.append(f"| `{name}` | {fields} | {words} | {' | '.join(audience(socket.policies[name]))} |")
    return lines


def pages() -> dict[str, str]:
    """All generated pages by their path below docs/."""
    opening = (
        "What a provider is, and what passes between it and its caller. Everything here can be imported from `parley` or `parley.provider`."
    )
    return {
        "reference/contract.md": page("The provider contract", opening, CONTRACT),
        "reference/library.md": page("The library", "What a program uses.", LIBRARY),
        "reference/errors.md": errors_page(),
        "reference/provider-errors.md": vendors_errors_page(),
        "reference/configuration.md": configuration_page(),
        "reference/command-line.md": command_line_page(),
        "reference/http.md": http_page(),
        **{f"reference/{name}": f"{NOTE}\n{text}" for name, text in wire_pages().items()},
        **provider_pages(f"{NOTE}\n"),
        "../.env.example": environment_example(GENERAL_VARIABLES),
    }


def forgotten(current: dict[str, str]) -> list[Path]:
    """Pages of providers that ship no longer."""
    return [path for path in sorted((DOCS / "providers").glob("*.md")) if f"providers/{path.name}" not in current]


def main() -> None:
    """Write the pages, or with `--check` say which lag."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--check", action="store_true", help="write nothing; fail where a page lags")
    check = ask.parse_args().check
    current = pages()
    lagging = [path.name for path in forgotten(current)]
    if not check:
        for path in forgotten(current):
            path.unlink()
    for name, text in current.items():
        path = DOCS / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            lagging.append(name)
            if not check:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
    if check and lagging:
        sys.exit(f"the documentation lags behind the code: {', '.join(lagging)}. Run 'make docs'.")


if __name__ == "__main__":
    main()
