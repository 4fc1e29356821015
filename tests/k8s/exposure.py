"""What can be reached from beyond the cluster: pages and the API, through the ingress, over TLS, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.k8s.overlay import Objects, of_kind, pods, where

_NGINX = "nginx.ingress.kubernetes.io"
_SERVICE = {"type", "selector", "ports", "sessionAffinity", "sessionAffinityConfig"}
_PORT = {"name", "protocol", "port", "targetPort"}
_BACKENDS = {"riskgrid-api", "riskgrid-dashboard"}
#: What the ingress controller is told. Others of its annotations put lines into its configuration.
_ANNOTATIONS = {
    f"{_NGINX}/{name}"
    for name in (
        "affinity",
        "affinity-mode",
        "proxy-body-size",
        "proxy-buffering",
        "proxy-read-timeout",
        "proxy-send-timeout",
        "session-cookie-change-on-failure",
        "session-cookie-name",
        "session-cookie-samesite",
        "session-cookie-secure",
        "ssl-redirect",
    )
}
#: Ports at which roles listen, and what their commands say of them; the rest is what riskgrid does by itself.
_PAGES = ({"http": 8000, "metrics": 9100}, {"--port=8000", "--metrics-port=9100"})
_WORKER: tuple[dict[str, int], set[str]] = ({"http": 8788}, set())
_LISTENS: dict[str, tuple[dict[str, int], set[str]]] = {
    "api": _PAGES,
    "dashboard": _PAGES,
    "runner": ({"metrics": 9101}, {"--metrics-port=9101"}),
    "scheduler": ({"tcp-comm": 8786, "http-dashboard": 8787}, set()),
    "operator": ({"health": 8080}, {"--liveness=http://0.0.0.0:8080/healthz"}),
    "postgres": ({"postgres": 5432}, set()),
    "s3": ({"s3": 9000}, set()),
    **dict.fromkeys(("worker", "reserved", "grid"), _WORKER),
    **dict.fromkeys(("migrate", "nightly"), ({}, set())),
}


def services_are_of_the_cluster_alone(objects: Objects) -> list[str]:
    """Of type ClusterIP: no port of a node, no load balancer, no address of its own."""
    wrong = []
    for place, service in _services(objects):
        if service.get("type", "ClusterIP") != "ClusterIP":
            wrong.append(f"{place}: is of type {service['type']}; ClusterIP is right")
        strange = set(service) - _SERVICE | {name for port in service["ports"] for name in set(port) - _PORT}
        wrong += [f"{place}: {name} may open it to others" for name in sorted(strange)]
    return wrong


def ingress_leads_to_pages_alone(objects: Objects) -> list[str]:
    """To the port http of API and dashboard, from http to https, with the certificate of the host."""
    wrong = []
    for thing in of_kind(objects, "Ingress"):
        spec, said = thing["spec"], thing["metadata"].get("annotations", {})
        backends = [path["backend"] for rule in spec["rules"] for path in rule["http"]["paths"]]
        wrong += [
            f"{where(thing)}: leads to {backend}"
            for backend in [*backends, *([spec["defaultBackend"]] if "defaultBackend" in spec else [])]
            if backend not in [{"service": {"name": name, "port": {"name": "http"}}} for name in _BACKENDS]
        ]
        if said.get(f"{_NGINX}/ssl-redirect") != "true":
            wrong.append(f"{where(thing)}: answers over http; ssl-redirect is right")
        wrong += [f"{where(thing)}: nobody knows {name} here" for name in sorted(set(said) - _ANNOTATIONS)]
        if {each.get("secretName") for each in spec.get("tls", [])} != {"riskgrid-ingress-tls"}:
            wrong.append(f"{where(thing)}: has another certificate than riskgrid-ingress-tls")
    return wrong


def pods_listen_where_they_say(objects: Objects) -> list[str]:
    """Ports of each role, in its manifest and in its command, and none of the node's."""
    wrong = []
    for pod in pods(objects):
        ports, told = _LISTENS.get(pod.role, ({}, set()))
        for container in pod.containers:
            listed = container.get("ports", [])
            if [set(port) for port in listed] != [{"name", "containerPort"}] * len(listed):
                wrong.append(f"{pod.where}: a port has more than a name and a number")
            if {port["name"]: port["containerPort"] for port in listed} != ports:
                wrong.append(f"{pod.where}: does not list the ports {ports}")
            said = {word for word in container.get("command", []) if _names_a_port(word)}
            if said != told:
                wrong.append(f"{pod.where}: is told {', '.join(sorted(said)) or 'no port'}; {told or 'none'} is right")
    return wrong


def _names_a_port(word: str) -> bool:
    option = word.partition("=")[0]
    return option.endswith("port") or option in ("--liveness", "--protocol", "--interface", "--dashboard-address")


def _services(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from ((where(thing), thing["spec"]) for thing in of_kind(objects, "Service"))
    yield from ((where(thing), thing["spec"]["scheduler"]["service"]) for thing in of_kind(objects, "DaskCluster"))
