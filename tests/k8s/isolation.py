"""Who may what, who holds what, and that no secret stands in the tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.k8s.overlay import Objects, named, of_kind, pods, where

#: Roles whose pods hold a certificate of the cluster of workers.
OF_THE_GRID = {"scheduler", "runner", "worker", "reserved", "grid"}
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


def only_the_grid_holds_certificates(objects: Objects) -> list[str]:
    """Whoever has one runs code on every worker: scheduler, workers and runner, no others, and these never without."""
    wrong = []
    for pod in pods(objects):
        holds = any(
            volume.get("secret", {}).get("secretName") == "riskgrid-tls" for volume in pod.spec.get("volumes", [])
        )
        uses = all(_given(container, "RISKGRID_TLS") for container in pod.containers)
        right = pod.role in OF_THE_GRID
        if holds is not right:
            wrong.append(f"{pod.where}: {'holds a certificate' if holds else 'has no certificate'}")
        if uses is not right:
            wrong.append(f"{pod.where}: {'is told of certificates' if uses else 'is not told of its certificate'}")
    return wrong


def _given(container: dict[str, Any], name: str) -> bool:
    return any(variable["name"] == name for variable in container.get("env", []))


def _texts(thing: Any) -> Iterator[str]:
    if isinstance(thing, str):
        yield thing
    for each in thing.values() if isinstance(thing, dict) else thing if isinstance(thing, list) else ():
        yield from _texts(each)
