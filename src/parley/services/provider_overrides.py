"""What administrators stored about providers, as the registry takes it: seals opened, endpoints held to their addresses. Stores nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from parley.registry.instances import Override
from parley.services.endpoints import EndpointPolicy
from parley.services.secrets import SealedError, SecretBox
from parley.storage.providers import ProviderRecord
from parley.telemetry import register_secrets


class ProviderOverrides:
    """Seals and opens the keys; `endpoints` says which addresses may be called."""

    def __init__(self, box: SecretBox, endpoints: EndpointPolicy) -> None:
        self._box = box
        self.endpoints = endpoints

    def of(self, records: Iterable[ProviderRecord]) -> list[Override]:
        """The settings of each. A key that cannot be opened is as if it were not there."""
        return [
            Override(
                name=record.name,
                provider=record.provider,
                settings=self._settings(record),
                withhold_secrets=record.endpoint is not None,
                permits=self.endpoints.permits_for(record.endpoint) if record.endpoint is not None else None,
                enabled=record.enabled,
            )
            for record in records
        ]

    def is_unopened(self, record: ProviderRecord) -> bool:
        """Whether there is a key that cannot be opened with this PARLEY_SECRET_KEY."""
        return record.sealed_key is not None and self._opened(record) is None

    def sealed(self, name: str, key: str) -> str:
        """A key as it is stored."""
        register_secrets([key])
        return self._box.seal(key, context=_context(name))

    def resealed(self, record: ProviderRecord) -> str | None:
        """The stored key under the newest PARLEY_SECRET_KEY; None where it is under that. Raises SealedError."""
        if record.sealed_key is None:
            return None
        return self._box.resealed(record.sealed_key, context=_context(record.name))

    def _settings(self, record: ProviderRecord) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        if record.endpoint is not None:
            settings["endpoint"] = record.endpoint
        if record.model is not None:
            settings["model"] = record.model
        if (key := self._opened(record)) is not None:
            settings["api_key"] = key
        return settings

    def _opened(self, record: ProviderRecord) -> str | None:
        if record.sealed_key is None:
            return None
        try:
            return self._box.open(record.sealed_key, context=_context(record.name))
        except SealedError:
            return None


def _context(name: str) -> str:
    return f"provider {name}: key"
