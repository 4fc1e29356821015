"""Which secret each role may read, which key of it, and by which way; that none stands in the tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.k8s.overlay import Objects, Pod, of_kind, pods, where

#: Roles whose pods hold a certificate of the cluster of workers: whoever has one runs code on every worker.
OF_THE_GRID = {"scheduler", "runner", "worker", "reserved", "grid"}
#: A certificate's key is for its owner and group (0440).
_CERTIFICATE = "riskgrid-tls as files of mode 440"
_BUCKET = frozenset(f"{name} of riskgrid-store as {name}" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
#: Who speaks to the database has all of the secret; workers the bucket's credentials alone.
_HELD: dict[str, frozenset[str]] = {
    **dict.fromkeys(("api", "dashboard", "runner", "migrate", "nightly"), frozenset({"all of riskgrid-store"})),
    **dict.fromkeys(("worker", "reserved", "grid"), _BUCKET),
    "postgres": frozenset({"POSTGRES_PASSWORD of riskgrid-postgres as POSTGRES_PASSWORD"}),
}
_SPEAKING = re.compile(r"password|secret|token|credential|(?<!public)key", re.IGNORECASE)
_LOOKING = re.compile(
    r"://[^/@\s$]+@|-----BEGIN|rgk_\w{8}|AKIA\w{12}"
    r"|(?i:(?:password|passwd|pwd|secret|token|access_?key|api_?key)\w*\s*=\s*[^\s$])"
    r"|(?i:--[\w-]*(?:password|secret|token)\b)"
)


def keeps_no_secret(objects: Objects) -> list[str]:
    """No Secret, no variable that sounds like one with a value, no text that looks like one."""
    wrong = [f"{where(thing)}: secrets are made by hand, never kept" for thing in of_kind(objects, "Secret")]
    for thing in objects:
        wrong += [
            f"{where(thing)}: {text[:12]}... looks like a secret" for text in _texts(thing) if _LOOKING.search(text)
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


def each_role_holds_its_own(objects: Objects) -> list[str]:
    """Secrets and keys of each role, by variable or file; certificates where their component is."""
    with_certificates = any(_CERTIFICATE in _held(pod) for pod in pods(objects))
    wrong = []
    for pod in pods(objects):
        right = set(_HELD.get(pod.role, ()))
        if with_certificates and pod.role in OF_THE_GRID:
            right.add(_CERTIFICATE)
        held = set(_held(pod))
        wrong += [f"{pod.where}: may read {what}" for what in sorted(held - right)]
        wrong += [f"{pod.where}: is not given {what}" for what in sorted(right - held)]
    return wrong


def only_the_grid_speaks_tls(objects: Objects) -> list[str]:
    """Scheduler, workers and runner find their certificate where it is mounted, never without; others look for none."""
    wrong = [
        f"{where(thing)}: tells every pod of certificates"
        for thing in of_kind(objects, "ConfigMap")
        if "RISKGRID_TLS" in thing["data"]
    ]
    for pod in pods(objects):
        certificates = {
            volume["name"]
            for volume in pod.spec.get("volumes", [])
            if volume.get("secret", {}).get("secretName") == "riskgrid-tls"
        }
        for container in pod.containers:
            told = [each.get("value") for each in container.get("env", []) if each["name"] == "RISKGRID_TLS"]
            mounts = [each for each in container.get("volumeMounts", []) if each["name"] in certificates]
            right = [each["mountPath"] for each in mounts if each.get("readOnly") and "subPath" not in each]
            if told != right or (len(right) == 1) is not (pod.role in OF_THE_GRID):
                wrong.append(f"{pod.where}: looks for its certificate in {told or 'no folder'}; it is in {right}")
    return wrong


def _held(pod: Pod) -> Iterator[str]:
    """What a pod may read of secrets, in words."""
    for container in pod.containers:
        for given in container.get("envFrom", []):
            if "secretRef" in given:
                yield f"all of {given['secretRef']['name']}" + (f" as {given['prefix']}*" if "prefix" in given else "")
        for variable in container.get("env", []):
            if found := variable.get("valueFrom", {}).get("secretKeyRef"):
                yield f"{found['key']} of {found['name']} as {variable['name']}"
    for volume in pod.spec.get("volumes", []):
        if found := volume.get("secret"):
            yield f"{found['secretName']} as files of mode {found.get('defaultMode', 0o644):o}"
    yield from (f"{each['name']} to pull its image" for each in pod.spec.get("imagePullSecrets", []))


def _texts(thing: Any) -> Iterator[str]:
    if isinstance(thing, str):
        yield thing
    for each in thing.values() if isinstance(thing, dict) else thing if isinstance(thing, list) else ():
        yield from _texts(each)
