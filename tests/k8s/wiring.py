"""Whether names are names, and what an object names is there: ConfigMaps, secrets, accounts, volumes, ports, pods."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.k8s.overlay import Objects, Pod, named, of_kind, pods, selects, where

#: Made by whoever runs the cluster, and their keys.
BY_SECRET = {
    "riskgrid-store": {"RISKGRID_CATALOGUE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
    "riskgrid-postgres": {"POSTGRES_PASSWORD"},
    "riskgrid-tls": {"ca.crt", "tls.crt", "tls.key"},
    "riskgrid-ingress-tls": {"tls.crt", "tls.key"},
}


#: A DNS label (RFC 1123): hosts, label values and all kinds take it, where some take more.
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def has_a_name(objects: Objects) -> list[str]:
    """A DNS label of at most 63 characters; of a CronJob 52, as Kubernetes appends the minute."""
    wrong = []
    for thing in objects:
        most = 52 if thing["kind"] == "CronJob" else 63
        name = str(thing["metadata"]["name"])
        if not _LABEL.fullmatch(name):
            wrong.append(f"{where(thing)}: its name is no DNS label; a-z, 0-9 and '-' within are right")
        if len(name) > most:
            wrong.append(f"{where(thing)}: its name has {len(name)} characters; {most} are the most")
    return wrong


def names_what_there_is(objects: Objects) -> list[str]:
    """ConfigMaps and their keys, secrets, volumes, accounts, claims."""
    maps = {thing["metadata"]["name"]: set(thing["data"]) for thing in of_kind(objects, "ConfigMap")}
    accounts, claims = named(objects, "ServiceAccount"), named(objects, "PersistentVolumeClaim")
    wrong = []
    for pod in pods(objects):
        for kind, name, key in _references(pod):
            known = maps if kind == "ConfigMap" else BY_SECRET
            if name not in known:
                wrong.append(f"{pod.where}: there is no {kind} {name}")
            elif key is not None and key not in known[name]:
                wrong.append(f"{pod.where}: {kind} {name} has no {key}")
        volumes = {volume["name"]: volume for volume in pod.spec.get("volumes", [])}
        mounted = {mount["name"] for each in pod.containers for mount in each.get("volumeMounts", [])}
        wrong += [f"{pod.where}: there is no volume {name}" for name in sorted(mounted - set(volumes))]
        wrong += [f"{pod.where}: nobody mounts volume {name}" for name in sorted(set(volumes) - mounted)]
        for volume in volumes.values():
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim is not None and claim not in claims:
                wrong.append(f"{pod.where}: there is no PersistentVolumeClaim {claim}")
        if pod.spec.get("serviceAccountName") not in accounts:
            wrong.append(f"{pod.where}: there is no ServiceAccount {pod.spec.get('serviceAccountName')}")
    return wrong


def services_reach_pods(objects: Objects) -> list[str]:
    """Selectors that some pods fit, and ports that these have; so for whatever points to a service."""
    wrong = []
    for thing in of_kind(objects, "Service"):
        wrong += _unreached(where(thing), thing["spec"], pods(objects))
    for thing in of_kind(objects, "DaskCluster"):
        service = thing["spec"]["scheduler"]["service"]
        wrong += _unreached(where(thing), service, pods(objects))
        if {port["name"] for port in service["ports"]} != {"tcp-comm", "http-dashboard"}:
            wrong.append(f"{where(thing)}: the operator looks for ports named tcp-comm and http-dashboard")
    services = named(objects, "Service") | {f"{name}-scheduler" for name in named(objects, "DaskCluster")}
    for thing in of_kind(objects, "Ingress"):
        backs = [
            path["backend"]["service"]["name"] for rule in thing["spec"]["rules"] for path in rule["http"]["paths"]
        ]
        wrong += [f"{where(thing)}: there is no Service {name}" for name in backs if name not in services]
    return wrong


def selectors_select(objects: Objects) -> list[str]:
    """Of what looks after pods (budgets, monitors, autoscalers): that there are such."""
    wrong = []
    for thing in of_kind(objects, "PodDisruptionBudget", "PodMonitor"):
        if not any(selects(thing["spec"]["selector"], pod.labels) for pod in pods(objects)):
            wrong.append(f"{where(thing)}: no pod is selected")
    for thing in of_kind(objects, "HorizontalPodAutoscaler"):
        if thing["spec"]["scaleTargetRef"]["name"] not in named(objects, thing["spec"]["scaleTargetRef"]["kind"]):
            wrong.append(f"{where(thing)}: there is no {thing['spec']['scaleTargetRef']['name']}")
    for thing in of_kind(objects, "PodMonitor", "ServiceMonitor"):
        wanted = {each["port"] for each in thing["spec"].get("endpoints", thing["spec"].get("podMetricsEndpoints", []))}
        lacking = wanted - _ports_of(objects, thing)
        wrong += [f"{where(thing)}: nothing selected has a port {port}" for port in sorted(lacking)]
    return wrong


def _references(pod: Pod) -> Iterator[tuple[str, str, str | None]]:
    """Kind, name and key of what a pod reads."""
    for container in pod.containers:
        for given in container.get("envFrom", []):
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in given:
                    yield kind, given[field]["name"], None
        for variable in container.get("env", []):
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                if found := variable.get("valueFrom", {}).get(field):
                    yield kind, found["name"], found["key"]
    for volume in pod.spec.get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"], None
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"], None


def _unreached(place: str, service: dict[str, Any], known: list[Pod]) -> list[str]:
    found = [pod for pod in known if selects({"matchLabels": service["selector"]}, pod.labels)]
    if not found:
        return [f"{place}: its selector fits no pod"]
    ports = {port["name"] for pod in found for each in pod.containers for port in each.get("ports", [])}
    return [
        f"{place}: no pod has a port {port['targetPort']}"
        for port in service["ports"]
        if port["targetPort"] not in ports
    ]


def _ports_of(objects: Objects, monitor: dict[str, Any]) -> set[str]:
    """Names of the ports of what a monitor selects: containers, or services and the operator's one."""
    selector = monitor["spec"]["selector"]
    if monitor["kind"] == "PodMonitor":
        chosen = [pod for pod in pods(objects) if selects(selector, pod.labels)]
        return {port["name"] for pod in chosen for each in pod.containers for port in each.get("ports", [])}
    services = [
        thing["spec"] for thing in of_kind(objects, "Service") if selects(selector, thing["metadata"].get("labels", {}))
    ]
    for thing in of_kind(objects, "DaskCluster"):
        labels = next(pod.labels for pod in pods([thing]) if pod.role == "scheduler")
        services += [thing["spec"]["scheduler"]["service"]] if selects(selector, labels) else []
    return {port["name"] for service in services for port in service["ports"]}
