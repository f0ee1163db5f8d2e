from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from parley.config import SEALING_FILE, SIGNING_FILE, Settings, describe, load_settings
from parley.contract.errors import ConfigurationError
from parley.telemetry import scrub

STRONG = "Zk3-strong-and-random-0123456789-canary"
OTHER = "Qw8-another-and-random-9876543210-canary"


def load(directory: Path, **variables: str) -> Settings:
    return load_settings(environ=variables, directory=directory)


def problems(directory: Path, **variables: str) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        load(directory, **variables)
    return {field.path: field.message for field in caught.value.fields}


def test_nothing_has_to_be_set_on_ones_own_machine(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert (settings.host, settings.port, settings.url) == ("127.0.0.1", 4000, "http://127.0.0.1:4000")
    assert settings.data_directory == tmp_path / "data"
    assert settings.database_url == f"sqlite:///{tmp_path / 'data' / 'parley.db'}"
    assert (settings.registration, settings.production, settings.warnings) == ("closed", False, [])


@pytest.mark.parametrize("name", [SIGNING_FILE, SEALING_FILE])
def test_secrets_are_made_once_for_their_owner_alone(tmp_path: Path, name: str) -> None:
    first, second = load(tmp_path), load(tmp_path)
    assert (first.jwt_secret, first.sealing_keys) == (second.jwt_secret, second.sealing_keys)
    assert first.jwt_secret != first.sealing_keys[0]
    file = tmp_path / "data" / name
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    load(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("weak", ["secret", "changeme", "x" * 64, "abcabcabc" * 8])
def test_a_weak_secret_is_replaced_at_home_and_refused_in_production(tmp_path: Path, weak: str) -> None:
    settings = load(tmp_path, JWT_SECRET=weak)
    assert settings.jwt_secret != weak
    assert any("JWT_SECRET" in warning and weak not in warning for warning in settings.warnings)
    told = problems(tmp_path, JWT_SECRET=weak, PARLEY_SECRET_KEY=weak, PARLEY_ENV="production")
    assert set(told) == {"JWT_SECRET", "PARLEY_SECRET_KEY"}
    assert "openssl rand" in told["JWT_SECRET"]


@pytest.mark.parametrize("production", [{"PARLEY_ENV": "production"}, {"DATABASE_URL": "postgresql://parley:canary-password@db/parley"}])
def test_production_makes_no_secret_of_its_own(tmp_path: Path, production: dict[str, str]) -> None:
    assert set(problems(tmp_path, **production)) == {"JWT_SECRET", "PARLEY_SECRET_KEY"}
    assert not (tmp_path / "data" / SIGNING_FILE).exists()
    assert load(tmp_path, JWT_SECRET=STRONG, PARLEY_SECRET_KEY=OTHER, **production).production


def test_an_older_sealing_key_stands_behind_the_new_one(tmp_path: Path) -> None:
    assert load(tmp_path, PARLEY_SECRET_KEY=f"{STRONG}, {OTHER}").sealing_keys == [STRONG, OTHER]


def test_listening_beyond_this_machine_without_a_secret_of_ones_own_is_warned_of(tmp_path: Path) -> None:
    assert any("JWT_SECRET" in warning for warning in load(tmp_path, HOST="0.0.0.0").warnings)
    assert load(tmp_path, HOST="0.0.0.0", JWT_SECRET=STRONG).warnings == []
    assert load(tmp_path, HOST="::1").warnings == []


def test_every_problem_is_told_at_once_without_the_value_of_a_secret(tmp_path: Path) -> None:
    told = problems(
        tmp_path,
        PORT="http",
        PUBLIC_URL="chat.example.org/path",
        PARLEY_ENV="prod",
        REGISTRATION="invite",
        INVITE_CODE="canary",
        METRICS_TOKEN="canary",
        PARLEY_ALLOW_ENDPOINTS="10.0.0.0/8, https://gpu",
        CORS_ORIGINS="* https://ok.example.org https://user:canary@bad.example.org",
        TRUSTED_PROXIES="nobody",
        LOG_LEVEL="loud",
        LOG_CONTENT="perhaps",
        DATABASE_URL="mysql://root:canary@db/x",
    )
    assert set(told) == {
        "PORT",
        "PUBLIC_URL",
        "PARLEY_ENV",
        "INVITE_CODE",
        "METRICS_TOKEN",
        "PARLEY_ALLOW_ENDPOINTS",
        "CORS_ORIGINS",
        "TRUSTED_PROXIES",
        "LOG_LEVEL",
        "LOG_CONTENT",
        "DATABASE_URL",
    }
    assert not any("canary" in told[variable] for variable in ("INVITE_CODE", "METRICS_TOKEN", "DATABASE_URL"))


def test_the_environment_stands_over_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=5000\nHOST=::1\n", encoding="utf-8")
    settings = load(tmp_path, PORT="6000")
    assert (settings.port, settings.host, settings.url) == (6000, "::1", "http://[::1]:6000")


def test_words_are_taken_in_any_case_and_lists_with_commas_or_spaces(tmp_path: Path) -> None:
    settings = load(tmp_path, REGISTRATION="Open", LOG_LEVEL="INFO", LOG_CONTENT="ON", CORS_ORIGINS="https://a.example, https://b.example")
    assert (settings.registration, settings.log_level, settings.log_content) == ("open", "info", True)
    assert settings.cors_origins == ["https://a.example", "https://b.example"]


def test_development_lets_people_sign_up_unless_told_otherwise(tmp_path: Path) -> None:
    assert load(tmp_path, PARLEY_ENV="development").registration == "open"
    assert load(tmp_path, PARLEY_ENV="development", REGISTRATION="closed").registration == "closed"


def test_a_data_directory_that_cannot_be_used_is_a_problem_in_words(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file", encoding="utf-8")
    assert "check its permissions" in problems(tmp_path)["PARLEY_DATA_DIR"]


def test_the_public_url_is_what_links_begin_with(tmp_path: Path) -> None:
    assert load(tmp_path, PUBLIC_URL="https://chat.example.org/").url == "https://chat.example.org"


def test_no_secret_is_shown_or_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="parley")
    settings = load(
        tmp_path,
        JWT_SECRET=STRONG,
        PARLEY_SECRET_KEY=OTHER,
        METRICS_TOKEN="canary-metrics-token",
        INVITE_CODE="canary-invite",
        DATABASE_URL="postgresql://parley:canary-password@db/parley",
    )
    assert "canary" not in repr(settings) + caplog.text
    assert "canary" not in scrub(f"{STRONG} {OTHER} canary-metrics-token canary-invite canary-password")


def test_the_table_describes_every_variable_and_shows_no_value() -> None:
    described = {line.variable: line for line in describe()}
    assert described["PORT"].default == "4000"
    assert described["JWT_SECRET"].secret
    assert all(line.help for line in described.values())
    assert len(described) == len([name for name in Settings.__struct_fields__ if name != "warnings"])


def test_several_servers_are_told_what_they_need(tmp_path: Path) -> None:
    shared = {"DATABASE_URL": "postgres://parley@db/parley", "JWT_SECRET": STRONG, "PARLEY_SECRET_KEY": STRONG}
    assert any("REDIS_URL" in warning for warning in load(tmp_path, **shared).warnings)
    assert load(tmp_path, **shared, REDIS_URL="rediss://:canary-word@redis:6380/1").warnings == []
    assert "canary-word" not in scrub("redis says canary-word")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REDIS_URL", "http://redis"),
        ("REDIS_URL", "redis://redis/first"),
        ("ANSWER_HEARTBEAT_SECONDS", "0"),
        ("ANSWER_HEARTBEAT_SECONDS", "nan"),
        ("ANSWER_DEAD_AFTER_SECONDS", "14"),
        ("DATABASE_URL", "mysql://db/parley"),
    ],
)
def test_what_servers_could_not_work_together_with_is_refused(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, **{variable: value})
    assert [problem.path for problem in caught.value.fields] == [variable]
