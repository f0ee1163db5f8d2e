"""What it takes to ask any provider something at a local server: a configuration, whose other fields are made up, and what it is
answered. Knows no provider.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parley.contract.codec import Codec
from parley.contract.config import Config, config_fields
from parley.testing.payload_diff import sample_value
from parley.testing.samples import Sample, sample_of

_COMMON = frozenset(Config.__struct_fields__)


def made_up_config(config_type: type[Config], *, endpoint: str, key: str, model: str, **given: Any) -> Config:
    """This provider's configuration: the key for each secret of its own (tokens of a cloud), an example for what else it requires.

    `given` are further fields. Raises TypeError where one of them is not the Config's.
    """
    fields: dict[str, Any] = {"api_key": key, "endpoint": endpoint, "model": model, **dict(made_up_fields(config_type, key=key)), **given}
    return config_type(**fields)


def made_up_fields(config_type: type[Config], *, key: str) -> Iterator[tuple[str, Any]]:
    """The fields of its own that a provider requires, and its secrets."""
    for field in config_fields(config_type):
        if field.name in _COMMON:
            continue
        if field.setting.secret and field.type is str:
            yield field.name, key
        elif field.required:
            yield field.name, field.setting.example if field.type is str and field.setting.example else sample_value(field.type)


def sample_for(codec: Codec, model: str) -> Sample | None:
    """The sample of what this model is answered with; a codec with several wires says by its method `of` which is the model's."""
    of: Any = getattr(codec, "of", None)
    spoken: Codec = codec if of is None else of(model)
    return sample_of(spoken.name)
