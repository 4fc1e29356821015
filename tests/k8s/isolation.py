"""Who reaches whom, who may what, and that no secret stands in the tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.k8s.overlay import Objects, Pod, named, of_kind, pods, selects, where

#: Roles whose pods hold a certificate of the cluster of workers, and may reach its scheduler.
OF_THE_GRID = {"runner", "operator", "worker", "reserved", "grid"}
_SPEAKING = re.compile(r"password|secret|token|credential|(?<!public)key", re.IGNORECASE)
_CREDENTIALS = re.compile(r"://[^/@\s$]+:[^/@\s$]+@|-----BEGIN|rgk_\w{8}|AKIA\w{12}")


def keeps_no_secret(objects: Objects) -> list[str]:
    """No Secret, no variable that sounds like one with a value, no text that looks like one."""
    wrong = [f"{where(thing)}: secrets are made by hand, never kept" for thing in of_kind(objects, "Secret")]
    for thing in objects:
        wrong += [
            f"{where(thing)}: {text[:12]}... looks like a secret" for text in _texts(thing) if _CREDENTIALS.search(text)
        ]
    for pod in pods(objects):
        for container in pod.containers:
            wrong += [
                f"{pod.where}: {variable['name']} has its value in the manifest"
                for variable in container.get("env", [])
                if _SPEAKING.search(variable["name"]) and "value" in variable
            ]
    for thing in of_kind(objects, "ConfigMap"):
        wrong += [f"{where(thing)}: {name} belongs in a secret" for name in thing["data"] if _SPEAKING.search(name)]
    return wrong


def grants_the_least(objects: Objects) -> list[str]:
    """Rights in the namespace alone, each by its name, none over secrets, to accounts that are there."""
    wrong = [
        f"{where(thing)}: reaches beyond the namespace"
        for thing in of_kind(objects, "ClusterRole", "ClusterRoleBinding")
    ]
    for thing in of_kind(objects, "Role"):
        for rule in thing["rules"]:
            given = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
            if given & {"*", "secrets", "pods/exec", "roles", "rolebindings", "impersonate", "escalate", "bind"}:
                wrong.append(f"{where(thing)}: grants {', '.join(sorted(given))}")
    for thing in of_kind(objects, "RoleBinding"):
        if thing["roleRef"]["name"] not in named(objects, thing["roleRef"]["kind"]):
            wrong.append(f"{where(thing)}: there is no {thing['roleRef']['kind']} {thing['roleRef']['name']}")
        for subject in thing["subjects"]:
            if subject["kind"] != "ServiceAccount" or subject["name"] not in named(objects, "ServiceAccount"):
                wrong.append(f"{where(thing)}: is for {subject['kind']} {subject['name']}, which is not here")
    for thing in of_kind(objects, "ServiceAccount"):
        if thing.get("automountServiceAccountToken") is not False:
            wrong.append(f"{where(thing)}: gives its token to every pod")
    return wrong


def stays_in_its_namespace(objects: Objects) -> list[str]:
    """One namespace, which is there and refuses what its pods do not need."""
    spaces = {thing["metadata"]["name"]: thing for thing in of_kind(objects, "Namespace")}
    known = {"Namespace", "PriorityClass"}
    wrong = [
        f"{where(thing)}: is in {thing['metadata'].get('namespace')}"
        for thing in objects
        if thing["kind"] not in known and thing["metadata"].get("namespace") not in spaces
    ]
    for thing in spaces.values():
        if thing["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
            wrong.append(f"{where(thing)}: does not enforce the restricted pod security standard")
    return wrong


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
        for port, right in ((8786, OF_THE_GRID & roles), (8787, {"operator"})):
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


def only_the_grid_holds_certificates(objects: Objects) -> list[str]:
    """Whoever has one runs code on every worker: scheduler, workers and runner, no others, and these never without."""
    wrong = []
    for pod in pods(objects):
        holds = any(
            volume.get("secret", {}).get("secretName") == "riskgrid-tls" for volume in pod.spec.get("volumes", [])
        )
        uses = all(_given(container, "RISKGRID_TLS") for container in pod.containers)
        right = pod.role in (OF_THE_GRID | {"scheduler"}) - {"operator"}
        if holds is not right:
            wrong.append(f"{pod.where}: {'holds a certificate' if holds else 'has no certificate'}")
        if uses is not right:
            wrong.append(f"{pod.where}: {'is told of certificates' if uses else 'is not told of its certificate'}")
    return wrong


def _given(container: dict[str, Any], name: str) -> bool:
    return any(variable["name"] == name for variable in container.get("env", []))


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


def _texts(thing: Any) -> Iterator[str]:
    if isinstance(thing, str):
        yield thing
    for each in thing.values() if isinstance(thing, dict) else thing if isinstance(thing, list) else ():
        yield from _texts(each)
