from __future__ import annotations

from typing import Any

import pytest

from parley.contract.capabilities import Capabilities, Model
from parley.contract.errors import ConfigurationError
from parley.contract.provider import Provider
from parley.guard.guarded import guard


def provider(**attributes: Any) -> Provider:
    async def generate(self, request):
        return "Hi"

    return type("Acme", (Provider,), {"name": "acme", "generate": generate, **attributes})()


def test_every_wrong_type_is_named_before_anybody_asks() -> None:
    with pytest.raises(ConfigurationError) as raised:
        guard(provider(capabilities={"tools": True}, models=["a"], limits=60, local="yes", extra_options="safe"))
    assert [problem.path for problem in raised.value.fields] == ["capabilities", "limits", "local", "models[0]", "extra_options"]
    assert "capabilities is of the type dict; it must be Capabilities" in raised.value.message
    assert "models[0] is of the type str; it must be Model(…)" in raised.value.message


def test_right_types_and_open_extra_options_pass() -> None:
    guarded = guard(provider(capabilities=Capabilities(tools=False), models=(Model("a"),), extra_options=None))
    assert guarded.models[0].id == "a"
