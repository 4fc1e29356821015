"""What every pod has to be: without rights over its node, bounded, watched, and placed where it belongs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.k8s.overlay import TEMPLATES, Objects, Pod, named, of_kind, pods, where

#: Roles that speak to Kubernetes.
SPEAKS = {"runner", "operator"}
#: Roles whose pods may be displaced by the others.
BATCH = {"worker", "grid", "nightly"}
_VOLUMES = {"emptyDir", "configMap", "secret", "persistentVolumeClaim", "name"}
_IDS = ("runAsUser", "runAsGroup", "fsGroup")
_POD = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
#: Users of images that are not ours.
_USERS = {("postgres", "postgres"): 999}
_OF_POD = {
    "affinity",
    "automountServiceAccountToken",
    "containers",
    "enableServiceLinks",
    "priorityClassName",
    "restartPolicy",
    "securityContext",
    "serviceAccountName",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
    "volumes",
}
_OF_CONTAINER = {
    "command",
    "env",
    "envFrom",
    "image",
    "imagePullPolicy",
    "lifecycle",
    "livenessProbe",
    "name",
    "ports",
    "readinessProbe",
    "resources",
    "securityContext",
    "startupProbe",
    "volumeMounts",
}
_VARIABLES = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "DASK_SCHEDULER_ADDRESS",
    "DASK_WORKER_NAME",
    "NAMESPACE",
    "POSTGRES_DB",
    "POSTGRES_PASSWORD",
    "POSTGRES_USER",
    "RISKGRID_THREADS",
    "RISKGRID_TLS",
    "RISKGRID_USER",
}
#: Value, and whether one displaces others.
_RANKS = {"riskgrid-interactive": (10_000, True), "riskgrid-batch": (1_000, False)}


def runs_as_nobody(objects: Objects) -> list[str]:
    """A user of its own number, nothing of the node, and no way to more: just these contexts, and just these fields."""
    wrong = []
    for pod in pods(objects):
        wrong += [f"{pod.where}: {name} is not for pods here" for name in sorted(set(pod.spec) - _OF_POD)]
        user = _USERS.get((pod.role, pod.containers[0]["image"].rpartition("/")[2].partition(":")[0]), 1000)
        wrong += _unlike(pod.where, pod.spec.get("securityContext", {}), {**_POD, **dict.fromkeys(_IDS, user)})
        for container in pod.containers:
            place = f"{pod.where}: container {container['name']}"
            wrong += [f"{place}: {name} is not for containers here" for name in sorted(set(container) - _OF_CONTAINER)]
            wrong += _unlike(place, container.get("securityContext", {}), _CONTAINER)
    return wrong


def _unlike(place: str, found: dict[str, Any], right: dict[str, Any]) -> list[str]:
    return [
        f"{place}: {name} is {found.get(name)}; {right.get(name)} is right"
        for name in sorted({*found, *right})
        if found.get(name) != right.get(name)
    ]


def is_told_what_it_knows(objects: Objects) -> list[str]:
    """No variable but of settings and clusters: what decides how a pod computes is of the image, the same for all."""
    return [
        f"{pod.where}: {variable['name']} is for the image to say"
        for pod, container in _containers(objects)
        for variable in container.get("env", [])
        if variable["name"] not in _VARIABLES
    ]


def is_bounded(objects: Objects) -> list[str]:
    """Processor and memory of every container, the size of every volume; memory is what was asked for."""
    wrong = []
    for pod, container in _containers(objects):
        resources = container.get("resources", {})
        asked, most = resources.get("requests", {}), resources.get("limits", {})
        wrong += [
            f"{pod.where}: container {container['name']} has no {part} {name}"
            for part, given in (("request of", asked), ("limit of", most))
            for name in ("cpu", "memory")
            if name not in given
        ]
        if asked.get("memory") != most.get("memory"):
            wrong.append(
                f"{pod.where}: memory of {container['name']} is not what is asked for: it ends where a node is full"
            )
    for pod in pods(objects):
        for volume in pod.spec.get("volumes", []):
            if set(volume) - _VOLUMES:
                wrong.append(f"{pod.where}: volume {volume['name']} is of a kind that is not for pods")
            if "emptyDir" in volume and "sizeLimit" not in (volume["emptyDir"] or {}):
                wrong.append(f"{pod.where}: volume {volume['name']} has no sizeLimit")
    return wrong


def is_watched(objects: Objects) -> list[str]:
    """Probes of what lasts, at ports that it has."""
    wrong = []
    for pod in pods(objects):
        for container in pod.containers if pod.lasts else ():
            ports = {port["name"] for port in container.get("ports", [])}
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                probe = container.get(kind)
                if not probe:
                    wrong.append(f"{pod.where}: container {container['name']} has no {kind}")
                    continue
                port = (probe.get("httpGet") or probe.get("tcpSocket") or {}).get("port")
                if port is not None and port not in ports:
                    wrong.append(f"{pod.where}: {kind} asks at port {port}, which {container['name']} does not have")
    return wrong


def has_its_rank(objects: Objects) -> list[str]:
    """A priority class that is there; batch below what somebody waits for."""
    known = named(objects, "PriorityClass")
    wrong = []
    for pod in pods(objects):
        ranked = pod.spec.get("priorityClassName")
        right = "riskgrid-batch" if pod.role in BATCH else "riskgrid-interactive"
        if ranked not in known:
            wrong.append(f"{pod.where}: there is no priority class {ranked}")
        elif ranked != right:
            wrong.append(f"{pod.where}: is {ranked}; {right} is right for {pod.role or 'it'}")
    for thing in of_kind(objects, "PriorityClass"):
        rank = thing["value"], thing.get("preemptionPolicy") != "Never"
        if rank != _RANKS.get(thing["metadata"]["name"]) or thing.get("globalDefault"):
            wrong.append(f"{where(thing)}: is of another rank than batch below what somebody waits for")
    return wrong


def leaves_a_lost_node(objects: Objects) -> list[str]:
    """Half a minute after its node was lost, not five."""
    lost = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}
    return [
        f"{pod.where}: stays bound to a lost node for five minutes"
        for pod in pods(objects)
        if pod.lasts
        and pod.role not in ("postgres", "s3")
        and lost
        - {each.get("key") for each in pod.spec.get("tolerations", []) if each.get("tolerationSeconds", 300) <= 60}
    ]


def speaks_to_kubernetes_only_where_it_must(objects: Objects) -> list[str]:
    """No token in a pod that has no use for it, and an account of its own where it has."""
    wrong = []
    for pod in pods(objects):
        token, account = pod.spec.get("automountServiceAccountToken"), pod.spec.get("serviceAccountName")
        if token is not (pod.role in SPEAKS):
            wrong.append(f"{pod.where}: automountServiceAccountToken is {token}")
        if account != (f"riskgrid-{pod.role}" if pod.role in SPEAKS else "riskgrid"):
            wrong.append(f"{pod.where}: is the service account {account}")
        if pod.spec.get("enableServiceLinks") is not False:
            wrong.append(
                f"{pod.where}: each service becomes settings named RISKGRID_...; enableServiceLinks: false is right"
            )
    return wrong


def names_its_image(objects: Objects) -> list[str]:
    """A version of it or its digest, and one version of ours in all pods."""
    versioned = re.compile(r"(?:.+/)?[\w.-]+(?::(?!latest$)[\w.-]+|@sha256:[0-9a-f]{64})")
    images = [(pod, container["image"]) for pod, container in _containers(objects)]
    wrong = [f"{pod.where}: image {image} names no version" for pod, image in images if not versioned.fullmatch(image)]
    ours = sorted({image for _, image in images if re.search(r"(^|/)riskgrid[:@]", image)})
    return [*wrong, *([f"pods are of several versions: {', '.join(ours)}"] if len(ours) > 1 else [])]


def is_looked_at(objects: Objects) -> list[str]:
    """No pods but of the kinds whose templates these checks know."""
    return [
        f"{where(thing)}: has pods that no check looks at"
        for thing in objects
        if thing["kind"] not in TEMPLATES and _has_containers(thing)
    ]


def _has_containers(thing: Any) -> bool:
    if isinstance(thing, dict):
        return "containers" in thing or any(map(_has_containers, thing.values()))
    return isinstance(thing, list) and any(map(_has_containers, thing))


def _containers(objects: Objects) -> Iterator[tuple[Pod, dict[str, Any]]]:
    return ((pod, container) for pod in pods(objects) for container in pod.containers)
