from __future__ import annotations

from parley.contract.messages import ProviderData
from parley.server.compat.tool_memory import ToolMemory
from parley.wire.call_state import CallState


def state(text: str) -> CallState:
    return CallState(provider_data=ProviderData(wire="w", provider="p", data=text))


def test_each_tenant_has_its_own() -> None:
    memory = ToolMemory()
    memory.remember("ann", "c1", state("a"))
    assert memory.recall("ann", "c1") == state("a")
    assert memory.recall("bob", "c1") is None
    assert memory.recall("ann", "c2") is None


def test_the_longest_unused_goes_first() -> None:
    memory = ToolMemory(max_calls=2)
    memory.remember("ann", "c1", state("a"))
    memory.remember("ann", "c2", state("b"))
    memory.recall("ann", "c1")
    memory.remember("ann", "c3", state("c"))
    assert [memory.recall("ann", call) is not None for call in ("c1", "c2", "c3")] == [True, False, True]


def test_it_is_bounded_in_bytes_whatever_is_said_again() -> None:
    memory = ToolMemory(max_bytes=1000)
    for _ in range(10):
        memory.remember("ann", "c1", state("x" * 600))
    memory.remember("ann", "c2", state("y" * 100))
    assert memory.recall("ann", "c1") is not None
    memory.remember("ann", "c3", state("z" * 700))
    assert memory.recall("ann", "c1") is None
    memory.remember("ann", "c4", state("x" * 2000))
    assert memory.recall("ann", "c4") is None
    assert memory.recall("ann", "c3") is not None
