"""The manifests: every field is one that Kubernetes, KEDA or Strimzi knows, and the settings in them load."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml
from kubernetes_validate import utils as kubernetes

from settings import load_settings
from settings.names import setting_names
from tests.helpers.pages import PAGES
from tests.helpers.repository import REPOSITORY
from workers.rights import ROLES

MANIFESTS = REPOSITORY / "deploy" / "kubernetes"
OVERLAYS = ("dev", "production", "complete")
#: The version of Kubernetes whose schemas are used: one that is old enough to be everywhere.
VERSION = "1.31"
GENERATED = MANIFESTS / "components" / "strimzi" / "topics-and-users.yaml"

Resource = dict[str, Any]


def documents(text: str) -> list[Resource]:
    return [document for document in yaml.safe_load_all(text) if document]


def files() -> list[Path]:
    return sorted(path for path in MANIFESTS.rglob("*.yaml") if path.name != "kustomization.yaml")


def is_patch(path: Path) -> bool:
    """Whether a kustomization adds the file to resources that another one has."""
    kustomization = yaml.safe_load((path.parent / "kustomization.yaml").read_text())
    return any(patch.get("path") == path.name for patch in kustomization.get("patches", ()))


@cache
def schema_of(api_version: str, kind: str) -> Mapping[str, Any] | None:
    """Our schema of a resource that is not Kubernetes' own."""
    path = MANIFESTS / "schemas" / f"{kind.lower()}-{api_version.replace('/', '-')}.json"
    return json.loads(path.read_text()) if path.exists() else None


def problems(resource: Resource, *, partial: bool = False) -> list[str]:
    """What is wrong with a resource; one that is ``partial`` may lack what is required."""
    schema = schema_of(resource["apiVersion"], resource["kind"])
    if schema is not None:
        errors: Iterable[jsonschema.ValidationError] = jsonschema.Draft202012Validator(schema).iter_errors(
            resource
        )
        return [f"{error.json_path}: {error.message}" for error in errors]
    try:
        kubernetes.validate(_completed(resource) if partial else resource, VERSION, strict=True)
    except kubernetes.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    return []


def _completed(patch: Resource) -> Resource:
    """A patch of a pod's template with the fields that each such resource must have."""
    if patch["kind"] == "Deployment":
        return {**patch, "spec": {"selector": {}, **patch["spec"]}}
    return patch


@cache
def built(overlay: str, manifests: Path = MANIFESTS) -> list[Resource]:
    kustomize, kubectl = shutil.which("kustomize"), shutil.which("kubectl")
    if kustomize is None and kubectl is None:
        pytest.skip("neither kustomize nor kubectl is on the PATH")
    build = [kustomize, "build"] if kustomize else [str(kubectl), "kustomize"]
    done = subprocess.run(
        [*build, str(manifests / "overlays" / overlay)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(MANIFESTS)))
def test_each_file_has_only_fields_that_are_known(path: Path) -> None:
    for resource in documents(path.read_text()):
        assert problems(resource, partial=is_patch(path)) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_overlay_is_built_and_valid(overlay: str) -> None:
    assert {f"{r['kind']}/{r['metadata']['name']}": problems(r) for r in built(overlay) if problems(r)} == {}


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(MANIFESTS)))
def test_a_misspelt_field_is_found(path: Path) -> None:
    for resource in documents(path.read_text()):
        for field in ("spec", "data"):
            if isinstance(resource.get(field), dict) and resource["kind"] != "ConfigMap":
                wrong = {**resource, field: {**resource[field], "replicaz": 1}}
                assert problems(wrong, partial=is_patch(path)) != []


def containers(resources: Iterable[Resource]) -> Iterator[tuple[str, Resource, Resource]]:
    """Our pods' containers: name, container, pod."""
    for resource in resources:
        pod = resource.get("spec", {}).get("template", {}).get("spec", {})
        for container in (*pod.get("initContainers", ()), *pod.get("containers", ())):
            if "todo-workers" in container["image"]:
                yield f"{resource['metadata']['name']}/{container['name']}", container, pod


def environment(container: Resource, resources: Iterable[Resource]) -> dict[str, str]:
    """The variables of a container, with a text in place of what comes from a Secret that is not here."""
    found = {"DATABASE_URL": "postgresql://todo:x@db/todo"}
    for source in container.get("envFrom", ()):
        if "configMapRef" in source:
            name = source["configMapRef"]["name"]
            [config] = [r for r in resources if r["kind"] == "ConfigMap" and r["metadata"]["name"] == name]
            found |= config["data"]
    found |= {one["name"]: one.get("value", "from a secret") for one in container.get("env", ())}
    for user in {"KAFKA_SASL_USERNAME", "SMTP_USERNAME"} & found.keys():
        found[user.replace("USERNAME", "PASSWORD")] = "from a secret"
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_settings_of_each_container_load(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = built(overlay)
    # Their files are there in the pod.
    monkeypatch.setattr(Path, "is_file", lambda _path: True)
    for _name, container, _pod in containers(resources):
        given = environment(container, resources)
        load_settings(given, env_file=None)
        assert given.keys() <= setting_names(), "one of them is no setting"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_our_pods_need_no_rights(overlay: str) -> None:
    names = []
    for name, container, pod in containers(built(overlay)):
        names.append(name)
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        resources = container["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]
    assert names == [
        "todo-bridge/bridge",
        "todo-web/web",
        "todo-worker/worker",
        "todo-upgrade/tables",
        "todo-upgrade/topics",
    ]


def test_the_liveness_of_a_pod_never_depends_on_others() -> None:
    for path in ("worker", "web", "bridge"):
        [deployment] = [
            r
            for r in documents((MANIFESTS / "base" / f"{path}.yaml").read_text())
            if r["kind"] == "Deployment"
        ]
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_that_ends_serves_while_connections_still_come_to_it_and_has_time_for_its_clients(
    overlay: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = built(overlay)
    services = {resource["metadata"]["name"] for resource in resources if resource["kind"] == "Service"}
    monkeypatch.setattr(Path, "is_file", lambda _path: True)
    routed = []
    for name, container, pod in containers(resources):
        if name.partition("/")[0] in services:
            routed.append(name)
            pause_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
            drain = load_settings(environment(container, resources), env_file=None).web.drain
            assert pause_s >= 5
            assert pod["terminationGracePeriodSeconds"] >= pause_s + drain.total_seconds() + 15
    assert routed == ["todo-bridge/bridge", "todo-web/web"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_clients_of_a_pod_fit_into_its_memory_and_may_all_come_by_one_ingress(
    overlay: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = [*built(overlay)]
    monkeypatch.setattr(Path, "is_file", lambda _path: True)
    measured = PAGES["docs/benchmarks.md"]
    [client_kb] = re.findall(r"^\| memory for each,.* \| (\d+) KB", measured, re.MULTILINE)
    [process_mb] = re.findall(r"^\| its memory, with the index \| (\d+) MB", measured, re.MULTILINE)
    counted = []
    for name, container, _pod in containers(resources):
        if container["name"] in {"web", "bridge"}:
            counted.append(name)
            web = load_settings(environment(container, resources), env_file=None).web
            limit_mb = int(container["resources"]["limits"]["memory"].removesuffix("Mi"))
            assert web.connections_per_address >= web.connections
            assert web.connections * int(client_kb) / 1024 + web.ring_mb + int(process_mb) <= limit_mb
    assert counted == ["todo-bridge/bridge", "todo-web/web"]


@pytest.fixture(scope="module")
def of_the_code() -> list[Resource]:
    """What the command prints, in a process of its own: other tests of this one declare queues."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}
    done = subprocess.run(
        [sys.executable, "-m", "workers", "topics", "--format", "strimzi"],
        env=environ | {"KAFKA_REPLICATION_FACTOR": "3"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def test_each_queue_of_the_application_has_its_figure_for_scaling(of_the_code: list[Resource]) -> None:
    [scaled, _authentication] = documents((MANIFESTS / "components/keda/scaled-object.yaml").read_text())
    urls = [trigger["metadata"]["url"] for trigger in scaled["spec"]["triggers"]]
    names = [resource["metadata"]["name"] for resource in of_the_code]
    queues = [name.removeprefix("todo.jobs.") for name in names if name.startswith("todo.jobs.")]
    assert sorted(urls) == sorted(f"http://todo-web.todo.svc/queues/{queue}/scaling" for queue in queues)


@pytest.mark.parametrize("namespace", ["todo", "shop"])
def test_the_figure_for_scaling_is_found_from_the_namespace_of_whoever_asks(
    namespace: str, tmp_path: Path
) -> None:
    manifests = tmp_path / "kubernetes"
    shutil.copytree(MANIFESTS, manifests)
    overlay = manifests / "overlays" / "complete" / "kustomization.yaml"
    overlay.write_text(overlay.read_text().replace("namespace: todo\n", f"namespace: {namespace}\n"))
    resources = built("complete", manifests)
    [scaled] = [resource for resource in resources if resource["kind"] == "ScaledObject"]
    urls = [urlsplit(trigger["metadata"]["url"]) for trigger in scaled["spec"]["triggers"]]
    [service] = [
        resource
        for resource in resources
        if resource["kind"] == "Service" and resource["metadata"]["name"] == "todo-web"
    ]
    assert service["metadata"]["namespace"] == namespace
    assert {url.netloc for url in urls} == {f"todo-web.{namespace}.svc"}
    assert {url.scheme for url in urls} == {"http"}
    assert all(url.path.endswith("/scaling") for url in urls)


def test_the_topics_and_users_for_strimzi_are_those_of_the_code(of_the_code: list[Resource]) -> None:
    resources = documents(GENERATED.read_text())
    users = [resource for resource in resources if resource["kind"] == "KafkaUser"]
    assert [user["metadata"]["name"] for user in users] == [f"todo-{role}" for role in ROLES]
    assert resources == of_the_code, "write it again: its kustomization.yaml says how"


def test_pods_that_check_tokens_by_public_keys_are_given_a_secret_for_the_sessions_that_they_share() -> None:
    given: dict[str, str] = {}
    for folder in ("base", "overlays/production"):
        [config] = documents((MANIFESTS / folder / "settings.yaml").read_text())
        given |= config["data"]
    [step] = re.findall(r"Make the Secret.*?(?=\n\d\. )", PAGES["docs/kubernetes.md"], re.DOTALL)
    secrets = set(re.findall(r"`([A-Z_]+)`", step)) - given.keys()
    comment = (MANIFESTS / "overlays/production/kustomization.yaml").read_text().partition("apiVersion")[0]
    assert secrets == set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", comment))
    values = dict.fromkeys(secrets, "a secret of thirty-two bytes or more")
    settings = load_settings(given | values | {"DATABASE_URL": "postgresql://todo:x@db/todo"}, env_file=None)
    assert settings.web.session_secret or settings.web.jwt_secret
