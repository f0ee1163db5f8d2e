"""The vendors' wires that are spoken here, as rows of the route table. Knows which there are, not what they say."""

from __future__ import annotations

from collections.abc import Callable

from parley.dispatch.client import Client
from parley.server.compat.anthropic import Messages
from parley.server.compat.elsewhere import elsewhere
from parley.server.compat.embeddings import EmbeddingsEndpoint
from parley.server.compat.models import Models
from parley.server.compat.openai import ChatCompletions
from parley.server.compat.responses import Responses
from parley.server.compat.tool_memory import ToolMemory
from parley.server.metrics import Metrics
from parley.server.policy import Route


def compat_routes(*, client: Callable[[], Client], metrics: Metrics) -> list[Route]:
    """Everything under `/v1`. `client` gives the providers as they are configured now."""
    memory = ToolMemory()
    served = [
        *ChatCompletions(client=client, metrics=metrics, memory=memory).routes(),
        *Responses(client=client, metrics=metrics, memory=memory).routes(),
        *Messages(client=client, metrics=metrics, memory=memory).routes(),
        *EmbeddingsEndpoint(client=client, metrics=metrics).routes(),
        *Models(client=client).routes(),
    ]
    return served + elsewhere(served)
