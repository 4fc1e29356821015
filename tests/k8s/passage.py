"""Who reaches whom by the network policies: exactly those who have to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tests.k8s.overlay import Objects, Pod, of_kind, pods, selects

_WORKERS = {"worker", "reserved", "grid"}
_CATALOGUE = {"api", "dashboard", "runner", "migrate", "nightly"}
_ANY = "any port"
_SCRAPER = "namespace monitoring, pods app.kubernetes.io/name=prometheus"
#: Beyond the namespace, but for the address at which a cloud gives out its nodes' credentials.
_WORLD = "0.0.0.0/0 but 169.254.169.254/32"
_NAMES = {("namespace kube-system", "UDP 53"), ("namespace kube-system", "TCP 53")}

type Ways = set[tuple[str, str]]


def every_pod_is_fenced(objects: Objects) -> list[str]:
    """A policy that denies both directions selects it, and what is let in and out is by policies alone."""
    wrong = []
    for pod in pods(objects):
        for direction in ("Ingress", "Egress"):
            if not _policies(objects, pod, direction):
                wrong.append(f"{pod.where}: no NetworkPolicy governs its {direction.lower()}")
    return wrong


def pods_reach_each_other_as_they_must(objects: Objects) -> list[str]:
    """Role by role and port by port, by what the one lets out and by what the other lets in."""
    known, wrong = pods(objects), []
    for source in known:
        for target in known:
            right = _inside(source.role, target.role)
            for verb, direction, here, there in (
                ("lets in", "Ingress", target, source),
                ("lets out to", "Egress", source, target),
            ):
                found = {port for peer, port in _ways(objects, here, direction, known) if peer == there.where}
                if found != right:
                    wrong.append(f"{here.where} {verb} {there.where} at {_listed(found)}; {_listed(right)} is right")
    return wrong


def pods_are_reached_from_outside_as_they_must(objects: Objects) -> list[str]:
    """By the ingress controller at pages, by the scraper at counts, by nobody else."""
    return [
        f"{pod.where}: {complaint}"
        for pod in pods(objects)
        for complaint in _compared(_foreign(objects, pod, "Ingress"), _comers(pod.role), "is open to", "is closed to")
    ]


def pods_reach_outside_as_they_must(objects: Objects) -> list[str]:
    """Names for all; database, bucket and Kubernetes for those who use them, and never a cloud's own address."""
    return [
        f"{pod.where}: {complaint}"
        for pod in pods(objects)
        for complaint in _compared(_foreign(objects, pod, "Egress"), _goals(pod.role), "may go to", "may not go to")
    ]


def _inside(source: str, target: str) -> set[str]:
    """Ports at which one role has to reach another."""
    if target == "scheduler":
        return ({"TCP 8786"} if source in {"runner", "operator", *_WORKERS} else set()) | (
            {"TCP 8787"} if source == "operator" else set()  # retires workers
        )
    # at ports that they choose as they start
    return {_ANY} if target in _WORKERS and source in {"scheduler", *_WORKERS} else set()


def _comers(role: str) -> Ways:
    if role in ("api", "dashboard"):
        return {("namespace ingress", "TCP 8000"), ("namespace monitoring", "TCP 9100")}
    if role == "scheduler":
        return {(_SCRAPER, "TCP 8787")}
    counts = {"runner": "TCP 9101"} | dict.fromkeys(_WORKERS, "TCP 8788")
    return {("namespace monitoring", counts[role])} if role in counts else set()


def _goals(role: str) -> Ways:
    ports = set()
    if role in _CATALOGUE:
        ports.add("TCP 5432")
    if role in _CATALOGUE | _WORKERS:
        ports.add("TCP 443")
    if role in ("runner", "operator"):
        ports |= {"TCP 443", "TCP 6443"}
    return _NAMES | {(_WORLD, port) for port in ports}


def _compared(found: Ways, right: Ways, more: str, less: str) -> list[str]:
    too_much = [f"{more} {peer} at {port}" for peer, port in sorted(found - right)]
    return too_much + [f"{less} {peer} at {port}" for peer, port in sorted(right - found)]


def _listed(ports: set[str]) -> str:
    return ", ".join(sorted(ports)) or "no port"


def _policies(objects: Objects, pod: Pod, direction: str) -> list[dict[str, Any]]:
    found = [thing["spec"] for thing in of_kind(objects, "NetworkPolicy")]
    return [spec for spec in found if selects(spec["podSelector"], pod.labels) and direction in spec["policyTypes"]]


def _rules(objects: Objects, pod: Pod, direction: str) -> Iterator[dict[str, Any]]:
    return (rule for spec in _policies(objects, pod, direction) for rule in spec.get(direction.lower(), []))


def _ways(objects: Objects, pod: Pod, direction: str, known: Iterable[Pod]) -> Ways:
    """Pods of this namespace, by where they are from, with the ports at which policies name them."""
    side = "from" if direction == "Ingress" else "to"
    return {
        (peer.where, port)
        for rule in _rules(objects, pod, direction)
        for each in rule.get(side, [])
        if not {"namespaceSelector", "ipBlock"} & set(each)
        for peer in known
        if selects(each["podSelector"], peer.labels)
        for port in _ports(rule)
    }


def _foreign(objects: Objects, pod: Pod, direction: str) -> Ways:
    """What is not of this namespace, in words, with the ports at which policies name it."""
    side = "from" if direction == "Ingress" else "to"
    return {
        (peer, port)
        for rule in _rules(objects, pod, direction)
        for peer in (map(_stranger, rule[side]) if rule.get(side) else ["everything"])
        if peer
        for port in _ports(rule)
    }


def _ports(rule: dict[str, Any]) -> list[str]:
    if not rule.get("ports"):
        return [_ANY]
    return [
        f"{port.get('protocol', 'TCP')} {port['port']}" + (f" to {port['endPort']}" if "endPort" in port else "")
        for port in rule["ports"]
    ]


def _stranger(peer: dict[str, Any]) -> str:
    """A peer of a rule in words; nothing for pods of this namespace."""
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return " but ".join([block["cidr"], *block.get("except", [])])
    if "namespaceSelector" not in peer:
        return ""
    spaces = dict(peer["namespaceSelector"] or {})
    match = spaces.pop("matchLabels", {})
    name = match.get("kubernetes.io/metadata.name") if len(match) == 1 and not spaces else None
    said = f"namespace {name}" if name else f"namespaces {match | spaces or 'of any name'}"
    chosen = dict(peer.get("podSelector") or {})
    labels = [f"{label}={value}" for label, value in chosen.pop("matchLabels", {}).items()]
    return said + (f", pods {' '.join([*labels, *map(str, chosen.items())])}" if "podSelector" in peer else "")
