"""Who reaches whom by the network policies: what must not, and what has to."""

from __future__ import annotations

from typing import Any

from tests.k8s.overlay import Objects, Pod, of_kind, pods, selects

#: Roles that may reach the scheduler.
OF_THE_SCHEDULER = {"runner", "operator", "worker", "reserved", "grid"}
_WORKERS = {"worker", "reserved", "grid"}
#: A port as workers choose them.
_CHOSEN = 41_234


def every_pod_is_fenced(objects: Objects) -> list[str]:
    """A policy that denies both directions selects it, and what is let in and out is by policies alone."""
    wrong = []
    for pod in pods(objects):
        for direction in ("Ingress", "Egress"):
            if not any(direction in policy["policyTypes"] for policy in _policies(objects, pod)):
                wrong.append(f"{pod.where}: no NetworkPolicy governs its {direction.lower()}")
    return wrong


def only_the_grid_reaches_the_scheduler(objects: Objects) -> list[str]:
    """The scheduler runs what it is sent: its port is for those who hold a certificate; its HTTP for the operator."""
    known, wrong = pods(objects), []
    roles = {pod.role for pod in known}
    for target in (pod for pod in known if pod.role == "scheduler"):
        for port, right in ((8786, OF_THE_SCHEDULER & roles), (8787, {"operator"})):
            welcome = {pod.role for pod in known if _let_in(objects, pod, target, port)}
            arriving = {pod.role for pod in known if pod.role in welcome and _let_out(objects, pod, target, port)}
            wrong += [
                f"{target.where}: {', '.join(sorted(found)) or 'none'} {may} {port}, not {', '.join(sorted(right))}"
                for may, found in (("are let in at", welcome), ("get through to", arriving))
                if found != right
            ]
            if strangers := _spaces(objects, target, port) - ({"monitoring"} if port == 8787 else set()):
                wrong.append(f"{target.where}: port {port} is open to {', '.join(sorted(strangers))}")
    return wrong


def lets_through_what_is_needed(objects: Objects) -> list[str]:
    """Database, bucket and Kubernetes for those who use them, workers to each other, counts and pages to who asks."""
    known, wrong = pods(objects), []
    for pod in known:
        wrong += [
            f"{pod.where}: may not open {port} outside" for port in sorted(_used_outside(pod) - _outside(objects, pod))
        ]
        if not {53} <= _outside(objects, pod, "UDP"):
            wrong.append(f"{pod.where}: may not ask for names")
        for port, space in _asked_for(pod).items():
            if space not in _spaces(objects, pod, port):
                wrong.append(f"{pod.where}: port {port} is closed to the namespace {space}")
    for source in (pod for pod in known if pod.role in {*_WORKERS, "scheduler"}):
        for target in (pod for pod in known if pod.role in _WORKERS):
            if not (_let_in(objects, source, target, _CHOSEN) and _let_out(objects, source, target, _CHOSEN)):
                wrong.append(f"{source.where}: does not reach {target.where}")
    return wrong


def _used_outside(pod: Pod) -> set[int]:
    """Ports of what a pod uses beyond the namespace, by what it is given."""
    given = [
        each.get("secretRef", {}).get("name") for container in pod.containers for each in container.get("envFrom", [])
    ]
    keys = [variable["name"] for container in pod.containers for variable in container.get("env", [])]
    used = {5432, 443} if "riskgrid-store" in given else {443} if "AWS_ACCESS_KEY_ID" in keys else set()
    return used | ({443, 6443} if pod.spec.get("automountServiceAccountToken") else set())


def _asked_for(pod: Pod) -> dict[int, str]:
    """Ports of a pod and the namespace from which they are asked."""
    ports = {port["name"]: port["containerPort"] for each in pod.containers for port in each.get("ports", [])}
    counts = {"api": "metrics", "dashboard": "metrics", "runner": "metrics", "scheduler": "http-dashboard"}
    name = "http" if pod.role in _WORKERS else counts.get(pod.role)
    asked = {ports[name]: "monitoring"} if name else {}
    return asked | ({ports["http"]: "ingress"} if pod.role in ("api", "dashboard") else {})


def _outside(objects: Objects, pod: Pod, protocol: str = "TCP") -> set[int]:
    """Ports that a pod may open beyond the namespace, wherever."""
    return {
        port["port"]
        for policy in _policies(objects, pod, "Egress")
        for rule in policy.get("egress", [])
        if any("ipBlock" in each or "namespaceSelector" in each for each in rule.get("to", []))
        for port in rule.get("ports", [])
        if port.get("protocol", "TCP") == protocol
    }


def _let_in(objects: Objects, source: Pod, target: Pod, port: int) -> bool:
    comes = [rule for policy in _policies(objects, target, "Ingress") for rule in policy.get("ingress", [])]
    return any(_lets(rule, "from", source, port) for rule in comes)


def _let_out(objects: Objects, source: Pod, target: Pod, port: int) -> bool:
    goes = [rule for policy in _policies(objects, source, "Egress") for rule in policy.get("egress", [])]
    return any(_lets(rule, "to", target, port) for rule in goes)


def _policies(objects: Objects, pod: Pod, direction: str = "") -> list[dict[str, Any]]:
    found = [thing["spec"] for thing in of_kind(objects, "NetworkPolicy")]
    return [
        spec
        for spec in found
        if selects(spec["podSelector"], pod.labels) and (not direction or direction in spec["policyTypes"])
    ]


def _lets(rule: dict[str, Any], side: str, peer: Pod, port: int) -> bool:
    named_here = [each for each in rule.get(side, []) if "namespaceSelector" not in each and "ipBlock" not in each]
    reached = side not in rule or any(selects(each["podSelector"], peer.labels) for each in named_here)
    return reached and _opens(rule, port)


def _opens(rule: dict[str, Any], port: int) -> bool:
    return "ports" not in rule or any(
        each["port"] <= port <= each.get("endPort", each["port"])
        for each in rule["ports"]
        if each.get("protocol", "TCP") == "TCP"
    )


def _spaces(objects: Objects, target: Pod, port: int) -> set[str]:
    """What outside the namespace is let in: names of namespaces, and blocks of addresses."""
    rules = [
        rule for spec in _policies(objects, target, "Ingress") for rule in spec.get("ingress", []) if _opens(rule, port)
    ]
    found = {"everywhere" for rule in rules if "from" not in rule}
    for each in (each for rule in rules for each in rule.get("from", [])):
        if "ipBlock" in each:
            found.add(each["ipBlock"]["cidr"])
        if "namespaceSelector" in each:
            found.add(
                (each["namespaceSelector"] or {})
                .get("matchLabels", {})
                .get("kubernetes.io/metadata.name", "any namespace")
            )
    return found
