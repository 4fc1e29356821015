"""Who may what at the Kubernetes API, and where."""

from __future__ import annotations

from typing import Any

from tests.k8s.overlay import Objects, of_kind, where

_SEEN = ["get", "list", "watch"]
_DASK = ["kubernetes.dask.org"]
#: Every Role, rule by rule: what the runner and the operator were seen to ask for.
_ROLES = {
    "riskgrid-runner": [
        {
            "apiGroups": _DASK,
            "resources": ["daskworkergroups/scale"],
            "resourceNames": ["riskgrid-default"],
            "verbs": ["get", "patch"],
        },
    ],
    "riskgrid-operator": [
        {
            "apiGroups": _DASK,
            "resources": ["daskclusters", "daskworkergroups"],
            "verbs": [*_SEEN, "create", "patch", "delete"],
        },
        {
            "apiGroups": _DASK,
            "resources": ["daskclusters/finalizers", "daskworkergroups/finalizers"],
            "verbs": ["update"],
        },
        {"apiGroups": _DASK, "resources": ["daskjobs", "daskautoscalers"], "verbs": _SEEN},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "create", "patch", "delete"]},
        {"apiGroups": [""], "resources": ["services"], "verbs": [*_SEEN, "create", "patch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": _SEEN},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    ],
}
_ACCOUNTS = {"riskgrid", *_ROLES}
_STANDARD = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}


def grants_the_least(objects: Objects) -> list[str]:
    """Two Roles with just these rules, each bound to the account of its name; no token that no pod asks for."""
    wrong = [
        f"{where(thing)}: reaches beyond the namespace"
        for thing in of_kind(objects, "ClusterRole", "ClusterRoleBinding")
    ]
    for thing in of_kind(objects, "Role"):
        rules = _ROLES.get(thing["metadata"]["name"], [])
        wrong += [f"{where(thing)}: grants {rule}" for rule in thing["rules"] if rule not in rules]
        wrong += [f"{where(thing)}: does not grant {rule}" for rule in rules if rule not in thing["rules"]]
    for thing in of_kind(objects, "RoleBinding"):
        name = thing["metadata"]["name"]
        if thing["roleRef"] != {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}:
            wrong.append(
                f"{where(thing)}: is of {thing['roleRef']['kind']} {thing['roleRef']['name']}; {name} is right"
            )
        right: dict[str, Any] = {"kind": "ServiceAccount", "name": name, "namespace": thing["metadata"]["namespace"]}
        wrong += [
            f"{where(thing)}: is for {subject['kind']} {subject['name']}; {name} alone is right"
            for subject in thing["subjects"]
            if subject != right or name not in _ROLES
        ]
    for thing in of_kind(objects, "ServiceAccount"):
        if thing["metadata"]["name"] not in _ACCOUNTS:
            wrong.append(f"{where(thing)}: nobody knows of this account")
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
        labels = thing["metadata"].get("labels", {})
        if {name: each for name, each in labels.items() if name.startswith("pod-security")} != _STANDARD:
            wrong.append(f"{where(thing)}: does not enforce the restricted pod security standard of its Kubernetes")
    return wrong
