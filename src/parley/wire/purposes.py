"""What becomes of an embedding's purpose on a wire that has no word for it. Knows no wire."""

from __future__ import annotations

from parley.contract.embeddings import EmbeddingRequest
from parley.contract.errors import FieldProblem, UnsupportedFeatureError
from parley.contract.http import Target
from parley.wire.history import EncodingWarnings


def drop_purpose(request: EmbeddingRequest, *, target: Target, warnings: EncodingWarnings) -> None:
    """Leave it out with a warning: it tunes the vectors. Raises UnsupportedFeatureError for a strict request."""
    purpose = request.options.purpose
    if purpose is None:
        return
    whom = f"{target.provider}/{target.model}"
    if request.strict_options:
        raise unsupported("options.purpose", f'{whom} has no word for the purpose "{purpose}"; leave it out', target=target)
    warnings.add("option_dropped", f'{whom} has no word for the purpose "{purpose}"; it was left out')


def unsupported(path: str, problem: str, *, target: Target) -> UnsupportedFeatureError:
    """The refusal of one field."""
    return UnsupportedFeatureError(
        f"{path}: {problem}", provider=target.provider, model=target.model, fields=[FieldProblem(path=path, message=problem)]
    )
