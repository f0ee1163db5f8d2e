"""Every provider that ships passes the whole checklist, advice included."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from parley.cli.main import application
from parley.registry.discovery import built_in_candidates


@pytest.mark.parametrize("name", [candidate.name for candidate in built_in_candidates()])
def test_a_provider_that_ships_is_held_to_all_of_it(name: str) -> None:
    result = CliRunner().invoke(application(), ["provider", "check", name, "--strict"])
    assert result.exit_code == 0, result.output
