"""Objects against the schemas of their kinds, in which a field that is not known is an error."""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource

from tests.k8s.monitoring_schema import MONITORING
from tests.k8s.overlay import LOADER, Objects, where

DASK = "kubernetes.dask.org/v1"


def fits_schema(objects: Objects) -> list[str]:
    """Each object against current Kubernetes, the CRDs of dask-kubernetes, or those of the Prometheus operator."""
    return [
        f"{where(thing)}: {_place(error.absolute_path)}: {error.message[:200]}"
        for thing in objects
        for error in _errors(thing)
    ]


def is_of_an_old_cluster(objects: Objects) -> list[str]:
    """That Kubernetes 1.20 has the kind already."""
    known = {
        "v1": {"Namespace", "ConfigMap", "Service", "ServiceAccount", "PersistentVolumeClaim"},
        "apps/v1": {"Deployment"},
        "batch/v1": {"Job"},
        "rbac.authorization.k8s.io/v1": {"Role", "RoleBinding"},
        "scheduling.k8s.io/v1": {"PriorityClass"},
        DASK: {"DaskCluster"},
    }
    return [
        f"{where(thing)}: {thing['apiVersion']} has no such kind in 1.20"
        for thing in objects
        if thing["kind"] not in known.get(thing["apiVersion"], ())
    ]


def _errors(thing: dict[str, Any]) -> Iterator[Any]:
    kind, version = thing["kind"], thing["apiVersion"]
    if version == DASK:
        return _of_dask(kind).iter_errors(thing)
    if kind in MONITORING and version == "monitoring.coreos.com/v1":
        return Draft202012Validator(MONITORING[kind]).iter_errors(thing)
    return _built_in(kind, version).iter_errors(thing)


def _place(path: Any) -> str:
    return "/".join(map(str, path)) or "top"


@functools.cache
def _definitions() -> tuple[str, Registry[Any]]:
    version = kubernetes_validate.latest_version()
    folder = f"kubernetes-json-schema/v{version}-local-strict"
    contents = schema_contents(f"{folder}/_definitions.json", version)
    return folder, Resource.from_contents(contents) @ Registry()


@functools.cache
def _built_in(kind: str, version: str) -> Draft202012Validator:
    folder, definitions = _definitions()
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", version)
    try:
        schema = schema_contents(f"{folder}/{kind.lower()}-{group}.json", folder)
    except FileNotFoundError:  # every object is refused, with the reason
        schema = {"not": {}, "description": f"no schema for {kind} of {version}"}
    return Draft202012Validator(schema, registry=definitions)


@functools.cache
def _of_dask(kind: str) -> Draft202012Validator:
    found = importlib.util.find_spec("dask_kubernetes")
    assert found is not None
    assert found.origin is not None
    crds = Path(found.origin).parent / "operator/deployment/helm/dask-kubernetes-operator/crds"
    crd = yaml.load((crds / f"{kind.lower()}.yaml").read_text(), Loader=LOADER)
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return Draft202012Validator(
        {
            "type": "object",
            "properties": {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}, "spec": strict(spec)},
            "required": ["metadata", "spec"],
            "additionalProperties": False,
        }
    )


def strict(schema: Any) -> Any:
    """An OpenAPI schema of a CRD as JSON schema that refuses what a cluster would prune without a word."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made = {name: strict(each) for name, each in schema.items()}
    if isinstance(made.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made
