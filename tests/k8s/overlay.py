"""Overlays as kustomize builds them, and the pods that they are to become."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

K8S = Path(__file__).parents[2] / "k8s"
OVERLAYS = sorted(path.parent.name for path in (K8S / "overlays").glob("*/kustomization.yaml"))

#: Ten times as fast where PyYAML was built with its C library.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

type Objects = list[dict[str, Any]]

#: Where kinds have the template of their pods. The operator turns those of Dask's kinds into Deployments.
TEMPLATES = {
    "Deployment": ("spec.template",),
    "Job": ("spec.template",),
    "CronJob": ("spec.jobTemplate.spec.template",),
    "DaskCluster": ("spec.scheduler", "spec.worker"),
}
_ENDS = ("Job", "CronJob")


@dataclass(frozen=True)
class Pod:
    """where : what has the template.   lasts : it is to run for good.   labels : the operator's too."""

    where: str
    labels: dict[str, str]
    spec: dict[str, Any]
    lasts: bool

    @property
    def role(self) -> str:
        return self.labels.get("app.kubernetes.io/component", "")

    @property
    def containers(self) -> list[dict[str, Any]]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


def kubectl() -> str:
    """The pinned kubectl, else one of the machine; skips where there is none, which fails in CI."""
    found = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")
    if found is None:
        reason = "kubectl is not installed; the development set of requirements.lock has it"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return found


def build(folder: Path) -> Objects:
    """What kustomize makes of a folder."""
    made = subprocess.run([kubectl(), "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert "deprecated" not in made.stderr, made.stderr
    return list(yaml.load_all(made.stdout, Loader=LOADER))


def where(thing: dict[str, Any]) -> str:
    """Kind and name, for people."""
    return f"{thing['kind']} {thing['metadata']['name']}"


def of_kind(objects: Objects, *kinds: str) -> Iterator[dict[str, Any]]:
    """Those of some kinds."""
    return (thing for thing in objects if thing["kind"] in kinds)


def named(objects: Objects, kind: str) -> set[str]:
    """Names of what there is of a kind."""
    return {thing["metadata"]["name"] for thing in of_kind(objects, kind)}


def at(thing: dict[str, Any], path: str) -> Any:
    """What stands at ``spec.template``; an empty mapping where nothing does."""
    for name in path.split("."):
        thing = thing.get(name) or {}
    return thing


def pods(objects: Objects) -> list[Pod]:
    """Every pod that is described, workers of the operator included."""
    found = []
    for thing in objects:
        for path in TEMPLATES.get(thing["kind"], ()):
            template = at(thing, path)
            labels = dict(at(template, "metadata.labels"))
            if thing["kind"] == "DaskCluster":
                part = path.removeprefix("spec.")
                inherited = {"dask.org/cluster-name": thing["metadata"]["name"], "dask.org/component": part}
                labels = {**thing["metadata"].get("labels", {}), **labels, **inherited}
            part = f" ({path.removeprefix('spec.')})" if thing["kind"] == "DaskCluster" else ""
            found.append(Pod(where(thing) + part, labels, template["spec"], thing["kind"] not in _ENDS))
    return found


def selects(selector: dict[str, Any] | None, labels: dict[str, str]) -> bool:
    """Whether a label selector takes these labels; an empty one takes all."""
    selector = selector or {}
    if any(labels.get(name) != value for name, value in selector.get("matchLabels", {}).items()):
        return False
    for rule in selector.get("matchExpressions", []):
        held = labels.get(rule["key"]) in rule.get("values", [])
        verdict = {"In": held, "NotIn": not held, "Exists": rule["key"] in labels}
        if not verdict[rule["operator"]]:
            return False
    return True
