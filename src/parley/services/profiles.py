"""What a user is shown of the own account, and the preferences they may change. Knows no password and no token."""

from __future__ import annotations

import math

from msgspec import UNSET, Struct, UnsetType, convert, structs

from parley.services.principals import Role
from parley.services.times import rfc3339
from parley.services.validation import Problems
from parley.storage.users import UserRecord

MAX_SYSTEM_PROMPT_CHARACTERS = 100_000
MAX_API_KEYS = 100
MAX_ATTACHMENT_BYTES = 1024 * 1024 * 1024


class Preferences(Struct, frozen=True, kw_only=True):
    """What a new session begins with; None leaves it to the server."""

    default_provider: str | None = None
    default_model: str | None = None
    default_temperature: float | None = None
    system_prompt: str | None = None


class PreferenceChanges(Struct, frozen=True, kw_only=True):
    """Some of the preferences: what is not given stays, null takes a preference back."""

    default_provider: str | UnsetType | None = UNSET
    default_model: str | UnsetType | None = UNSET
    default_temperature: float | UnsetType | None = UNSET
    system_prompt: str | UnsetType | None = UNSET


class AccountUsage(Struct, frozen=True, kw_only=True):
    """What the account holds now, in the units of its quotas."""

    api_keys: int = 0
    attachment_bytes: int = 0


class Quotas(Struct, frozen=True, kw_only=True):
    """How much an account may hold."""

    api_keys: int = MAX_API_KEYS
    attachment_bytes: int = MAX_ATTACHMENT_BYTES


class Profile(Struct, frozen=True, kw_only=True):
    """The account as its owner sees it; `created_at` in RFC 3339."""

    id: str
    username: str
    email: str
    role: Role
    preferences: Preferences
    usage: AccountUsage
    quotas: Quotas
    created_at: str


def profile_of(user: UserRecord, usage: AccountUsage) -> Profile:
    """A stored user as a profile."""
    return Profile(
        id=user.id,
        username=user.username,
        email=user.email,
        role="admin" if user.role == "admin" else "user",
        preferences=convert(user.preferences, Preferences),
        usage=usage,
        quotas=Quotas(),
        created_at=rfc3339(user.created_at),
    )


def merged(current: dict[str, object], changes: PreferenceChanges) -> dict[str, object]:
    """The stored preferences with the changes in them. Raises InvalidRequestError with every field that cannot be."""
    problems = Problems()
    for path, value, most in (
        ("defaultProvider", changes.default_provider, 200),
        ("defaultModel", changes.default_model, 200),
        ("systemPrompt", changes.system_prompt, MAX_SYSTEM_PROMPT_CHARACTERS),
    ):
        if isinstance(value, str):
            problems.text(path, value, max_characters=most)
    temperature = changes.default_temperature
    if isinstance(temperature, (int, float)) and not (math.isfinite(temperature) and 0 <= temperature <= 2):
        problems.add("defaultTemperature", "must be between 0 and 2")
    problems.refuse()
    given = {name: value for name, value in structs.asdict(changes).items() if value is not UNSET}
    return {name: value for name, value in {**current, **given}.items() if value is not None}
