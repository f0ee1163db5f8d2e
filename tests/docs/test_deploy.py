"""`deploy/` agrees with the code: every variable is a setting, every path a route, every time long enough for what it waits for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from parley.cli.serve import DRAIN_SECONDS, KEEP_ALIVE_SECONDS
from parley.config import describe, load_settings
from parley.registry.loading import Registry
from parley.server.boundary import TrustedProxies
from parley.server.metrics import Metrics
from parley.server.policy import MEBIBYTE
from parley.server.routes.system import SystemRoutes

from ..integration.server_inside import server_inside

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
GENERATED = "0123456789-abcdefghij-KLMNOPQRST-uvwxyz"
INSTRUCTIONS = {"FROM", "RUN", "ENV", "WORKDIR", "COPY", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
LARGEST_BODY = 32 * MEBIBYTE


def settings_that_exist() -> set[str]:
    registry = Registry.from_environment(environ={})
    fields = (field for name in registry.names() for field in registry.describe(name).fields)
    return {setting.variable for setting in describe()} | {variable for field in fields for variable in field.variables}


def paths_of_the_machine() -> set[str]:
    nobody: Any = None
    routes = SystemRoutes(version="", metrics=Metrics(), check=nobody, draining=nobody, limits_are_local=nobody, generation=nobody).routes()
    return {route.path for route in routes}


def instructions() -> Iterator[tuple[str, str]]:
    """The Containerfile, one instruction after the other, its lines joined."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    for line in re.sub(r"\\\n\s*", "", lines).splitlines():
        word, _, rest = line.partition(" ")
        yield word, rest


def final_stage() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word, rest in instructions():
        if word == "FROM":
            found = {}
        found.setdefault(word, []).append(rest)
    return found


def image_variables() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in final_stage()["ENV"] for pair in line.split())


def compose() -> dict[str, Any]:
    """With its own variables put in, as `docker compose` would."""
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    given = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", re.sub(r"\$\{\w+:\?[^}]*\}", GENERATED, text))
    assert "${" not in given
    return yaml.safe_load(given)


def manifests() -> dict[tuple[str, str], Any]:
    documents = (
        document for path in sorted(KUBERNETES.glob("*.yaml")) for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    )
    return {(document["kind"], document.get("metadata", {}).get("name", "")): document for document in documents}


def test_the_image_runs_as_nobody_and_writes_to_its_volume_alone() -> None:
    assert {word for word, _ in instructions()} <= INSTRUCTIONS
    stage, variables = final_stage(), image_variables()
    assert stage["USER"] == ["10001:10001"]
    assert stage["VOLUME"] == [variables["PARLEY_DATA_DIR"]]
    assert (stage["EXPOSE"], stage["ENTRYPOINT"], stage["CMD"]) == ([variables["PORT"]], ['["parley"]'], ['["serve"]'])
    assert {name for name in variables if not name.startswith(("PATH", "PYTHON"))} <= settings_that_exist()
    command = json.loads(stage["HEALTHCHECK"][0].partition("CMD ")[2])
    assert "/health" in command[-1]
    compile(command[-1], "HEALTHCHECK", "exec")


def test_what_the_image_is_built_from_is_there() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")}
    copied = {source for word, rest in instructions() if word == "COPY" and "--from" not in rest for source in rest.split()[:-1]}
    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied)
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in re.findall(r"--extra (\w+)", (DEPLOY / "Containerfile").read_text(encoding="utf-8")):
        assert re.search(rf"^{extra} = \[", text, re.MULTILINE), extra
    forced = re.search(r"force-include\]\n((?:.+\n)*)", text)
    assert forced is None, "the wheel takes files from elsewhere; the Containerfile has to copy them"


def test_compose_starts_two_servers_that_share_everything() -> None:
    services = compose()["services"]
    servers = [service for name, service in services.items() if name.startswith("parley")]
    assert len(servers) == 2
    assert servers[0] == servers[1]
    server = servers[0]
    assert set(server["environment"]) <= settings_that_exist()
    assert (server["read_only"], server["cap_drop"], server["tmpfs"]) == (True, ["ALL"], ["/tmp"])
    assert [mount.rpartition(":")[2] for mount in server["volumes"]] == [image_variables()["PARLEY_DATA_DIR"]]
    assert int(server["stop_grace_period"].removesuffix("s")) > DRAIN_SECONDS + 5
    assert (ROOT / "deploy" / server["build"]["context"] / server["build"]["dockerfile"]).resolve() == DEPLOY / "Containerfile"
    upstreams = services["proxy"]["environment"]["PARLEY_UPSTREAMS"].split()
    assert upstreams == [f"{name}:{image_variables()['PORT']}" for name in services if name.startswith("parley")]
    for host, _, _ in (mount.split(":") for mount in services["proxy"]["volumes"] if mount.startswith(".")):
        assert (DEPLOY / host).is_file()


def test_composes_settings_are_sound_and_believe_the_proxy_alone(tmp_path: Path) -> None:
    services = compose()["services"]
    environment = {**image_variables(), **services["parley-1"]["environment"], "PARLEY_DATA_DIR": str(tmp_path)}
    settings = load_settings(environ=environment, directory=tmp_path)
    assert settings.production
    assert settings.warnings == []
    proxy = services["proxy"]["networks"]["inside"]["ipv4_address"]
    assert settings.trusted_proxies == [proxy]
    assert {settings.database_url.partition("@")[2], settings.redis_url.partition("//")[2]} == {"postgres:5432/parley", "valkey:6379/0"}
    assert {"postgres", "valkey"} <= services.keys()


def test_kubernetes_settings_are_sound(tmp_path: Path) -> None:
    found = manifests()
    given: dict[str, str] = {**found["ConfigMap", "parley"]["data"], **found["Secret", "parley"]["stringData"]}
    assert set(given) <= settings_that_exist()
    filled = {name: value or GENERATED for name, value in given.items()}
    settings = load_settings(environ={**image_variables(), **filled, "PARLEY_DATA_DIR": str(tmp_path)}, directory=tmp_path)
    assert settings.production
    assert settings.warnings == []
    (tmp_path / "parley.toml").write_text(found["ConfigMap", "parley-files"]["data"]["parley.toml"].replace("# ", ""), encoding="utf-8")
    Registry.from_environment(environ=filled, directory=tmp_path).check()


def test_kubernetes_probes_ask_what_is_there_and_a_stop_leaves_time_to_finish() -> None:
    found = manifests()
    deployment = found["Deployment", "parley"]["spec"]
    pod = deployment["template"]["spec"]
    [container] = pod["containers"]
    asked = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {name: probe["path"] for name, probe in asked.items()} == {
        "startupProbe": "/health",
        "livenessProbe": "/health",
        "readinessProbe": "/ready",
    }
    assert {probe["path"] for probe in asked.values()} <= paths_of_the_machine()
    [port] = container["ports"]
    assert (str(port["containerPort"]), {probe["port"] for probe in asked.values()}) == (image_variables()["PORT"], {port["name"]})
    waits = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    ready = container["readinessProbe"]
    assert pod["terminationGracePeriodSeconds"] > waits + DRAIN_SECONDS + 5
    assert ready["periodSeconds"] * ready["failureThreshold"] < DRAIN_SECONDS
    assert pod["securityContext"]["runAsNonRoot"]
    assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == final_stage()["USER"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {"/data", "/tmp", "/etc/parley"} == {mount["mountPath"] for mount in container["volumeMounts"]}
    assert final_stage()["WORKDIR"] == ["/etc/parley"]


def test_kubernetes_parts_find_each_other() -> None:
    found = manifests()
    labels = found["Deployment", "parley"]["spec"]["template"]["metadata"]["labels"]
    assert found["Service", "parley"]["spec"]["selector"] == labels
    assert found["PodDisruptionBudget", "parley"]["spec"]["selector"]["matchLabels"] == labels
    assert found["PodDisruptionBudget", "parley"]["spec"]["minAvailable"] < found["Deployment", "parley"]["spec"]["replicas"]
    listed = found["Kustomization", ""]["resources"]
    assert sorted([*listed, "kustomization.yaml", "secret.example.yaml"]) == sorted(path.name for path in KUBERNETES.glob("*.yaml"))
    sources = [
        next(iter(source.values()))["name"]
        for source in found["Deployment", "parley"]["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    ]
    assert sources == ["parley", "parley"]


@pytest.mark.parametrize("name", ["nginx/parley.conf", "caddy/Caddyfile", "kubernetes/service.yaml"])
def test_proxies_take_what_parley_takes(name: str) -> None:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    [size] = re.findall(r"(?:client_max_body_size|max_size|proxy-body-size:) (\d+)(?:m|MB)\b", text)
    assert int(size) * MEBIBYTE > LARGEST_BODY
    for idle in re.findall(r"(?:keepalive_timeout|keepalive) (\d+)s", text):
        assert int(idle) < KEEP_ALIVE_SECONDS


def test_a_proxy_that_is_not_named_is_not_believed() -> None:
    scope = {"client": ("203.0.113.5", 1), "headers": [(b"x-forwarded-for", b"198.51.100.1")]}
    assert TrustedProxies([]).client_address(scope) == "203.0.113.5"


async def test_the_guides_backup_of_a_running_server_is_whole(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "guides" / "deploy.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    before, after = tmp_path / "before", tmp_path / "after"
    (after / "data").mkdir(parents=True)
    before.mkdir()
    async with server_inside(before) as server:
        token = (await server.sign_up("ada")).token
        session_id = await server.session(token)
        await server.answer(token, session_id, "code")
        done = subprocess.run([sys.executable, "-W", "error", "-c", example], cwd=before, check=False, capture_output=True, text=True)  # noqa: ASYNC221
        assert done.returncode == 0, done.stderr
    shutil.copy(before / "backup.db", after / "data" / "parley.db")
    shutil.copy(before / "data" / "jwt-secret", after / "data" / "jwt-secret")
    async with server_inside(after) as server:
        messages = await server.request("GET", f"/api/v1/chat/sessions/{session_id}/messages", token=token)
        assert len(messages.json()["items"]) == 2
