"""Whatever comes to a route that the OpenAPI document names: no server error, and an answer of the kind that the document promises."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from .server_process import Account, ServerProcess, running_server

schemathesis = pytest.importorskip("schemathesis", reason="needs the package schemathesis")

EXAMPLES = 12
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
# A stream's schema is that of each of its events.
STREAMED_CHECKS = CHECKS[:3]
REPLY_SECONDS = 20


async def test_no_route_fails_or_answers_otherwise_than_documented(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        account = await server.sign_up("ada")
        document = (await server.request("GET", "/api/v1/openapi.json")).json()
        ids = await known_ids(server, account)
        assert document["paths"]
        problems = await asyncio.to_thread(fuzz, document, server.url, token=account.token, ids=ids)
        assert (await server.request("GET", "/ready")).status == 200
    assert "Traceback" not in server.output
    assert not problems, "\n\n".join(problems)


async def known_ids(server: ServerProcess, account: Account) -> dict[str, str]:
    """Ids that exist, so that fuzzing comes further than to 404."""
    session_id = await server.session(account.token)
    answered = await server.answer(account.token, session_id, "code")
    return {"sessionId": session_id, "messageId": answered["userMessage"]["id"], "name": "demo"}


def fuzz(document: dict[str, Any], url: str, *, token: str, ids: Mapping[str, str]) -> list[str]:
    """Every operation with what fits its schema and what does not; what went wrong, the first of each operation."""
    problems: list[str] = []
    schema = schemathesis.openapi.from_dict(document)
    for operation in [found.ok() for found in schema.get_all_operations()]:
        # This one would end the sign-in that all others need.
        if operation.path.endswith("/auth/logout"):
            continue
        for mode in MODES:
            try:
                try_operation(operation, mode, url, headers={"Authorization": f"Bearer {token}"}, ids=ids)
            except schemathesis.core.failures.FailureGroup as error:
                problems.append(f"{operation.method.upper()} {operation.path} ({mode.name.lower()}): {error}"[:2000])
    return problems


def try_operation(operation: Any, mode: Any, url: str, *, headers: Mapping[str, str], ids: Mapping[str, str]) -> None:
    """Raise what schemathesis found."""
    turns = itertools.count()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        if next(turns) % 2:
            with_known_ids(case, ids)
        response = case.call(base_url=url, headers=dict(headers), timeout=REPLY_SECONDS)
        streamed = response.headers.get("content-type", [""])[0].startswith("text/event-stream")
        case.validate_response(response, checks=[getattr(schemathesis.checks, name) for name in (STREAMED_CHECKS if streamed else CHECKS)])

    # Nothing can be wrong about a request without parameters and body.
    with suppress(Unsatisfiable):
        run()


def with_known_ids(case: Any, ids: Mapping[str, str]) -> None:
    case.path_parameters = {name: ids.get(name, value) for name, value in (case.path_parameters or {}).items()}
    if isinstance(case.body, dict) and "sessionId" in case.body:
        case.body = {**case.body, "sessionId": ids["sessionId"]}
