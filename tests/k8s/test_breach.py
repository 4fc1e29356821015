"""A manifest that lets more in, out or through than it must is found, and named."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.k8s import commands, credential, earnest, exposure, hardening, isolation, passage
from tests.k8s.breaking import API, CONTAINER, GONE, MORE, SETTINGS, WORKER, find, write
from tests.k8s.overlay import Objects, pods
from tests.k8s.test_breaking import BROKEN
from tests.k8s.test_overlays import ALL, CHECKS, OF_PRODUCTION

BATCH = "DaskCluster riskgrid"
DATABASE, BUCKET = "NetworkPolicy riskgrid-database", "NetworkPolicy riskgrid-bucket"
FENCE, WORKERS = "NetworkPolicy riskgrid-scheduler", "NetworkPolicy riskgrid-worker"
INGRESS = "Ingress riskgrid-api"
POD = "spec.template.spec"
OWN = f"{CONTAINER}.securityContext"
OPERATOR, RUNNER = "Role riskgrid-operator", "Role riskgrid-runner"
STORE = {"secretRef": {"name": "riskgrid-store"}}
EVERYWHERE = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]


def _key(variable: str, secret: str, key: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _files(secret: str, mode: int) -> dict[str, Any]:
    return {"name": "x", "secret": {"secretName": secret, "defaultMode": mode}}


def _rule(group: str, resource: str, *verbs: str) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


#: By the check that is to find it: what is broken and where, what is written there, and what is said of it.
BREACHES: dict[Callable[[Objects], list[str]], list[tuple[str, str, Any, str]]] = {
    hardening.runs_as_nobody: [
        (API, f"{POD}.securityContext.runAsUser", 0, "runAsUser is 0; 1000 is right"),
        (API, f"{POD}.securityContext.runAsUser", 65534, "runAsUser is 65534"),
        (API, f"{POD}.securityContext.runAsGroup", 0, "runAsGroup is 0"),
        (API, f"{POD}.securityContext.fsGroup", 0, "fsGroup is 0"),
        (API, f"{POD}.securityContext.supplementalGroups", [0], "supplementalGroups is [0]"),
        (API, f"{POD}.securityContext.seccompProfile", {"type": "Unconfined"}, "seccompProfile is"),
        (API, f"{POD}.shareProcessNamespace", True, "shareProcessNamespace is not for pods"),
        (API, f"{POD}.hostNetwork", True, "hostNetwork is not for pods"),
        (API, f"{POD}.hostPID", True, "hostPID is not for pods"),
        (API, f"{OWN}.seccompProfile", {"type": "Unconfined"}, "Unconfined'}; None is right"),
        (API, f"{OWN}.procMount", "Unmasked", "procMount is Unmasked"),
        (API, f"{OWN}.privileged", True, "privileged is True"),
        (API, f"{OWN}.runAsNonRoot", False, "runAsNonRoot is False"),
        (API, f"{OWN}.readOnlyRootFilesystem", GONE, "readOnlyRootFilesystem is None"),
        (API, f"{OWN}.capabilities", {"add": ["NET_ADMIN"]}, "capabilities is"),
        (API, f"{CONTAINER}.args", ["--host=0.0.0.0"], "args is not for containers"),
        (BATCH, f"{WORKER}.securityContext", GONE, "(worker): container worker"),
    ],
    hardening.is_told_what_it_knows: [
        (
            BATCH,
            f"{WORKER}.env.{MORE}",
            {"name": "NUMBA_CPU_NAME", "value": "x86-64"},
            "NUMBA_CPU_NAME is for the image",
        ),
        (BATCH, f"{WORKER}.env.{MORE}", {"name": "PYTHONPATH", "value": "/tmp"}, "PYTHONPATH is for the image"),
        (API, f"{CONTAINER}.env.{MORE}", {"name": "OPENBLAS_CORETYPE", "value": "Zen"}, "OPENBLAS_CORETYPE"),
    ],
    hardening.has_its_rank: [
        ("PriorityClass riskgrid-batch", "value", 1_000_000, "riskgrid-batch: is of another rank"),
        ("PriorityClass riskgrid-batch", "preemptionPolicy", GONE, "riskgrid-batch: is of another rank"),
        ("PriorityClass riskgrid-batch", "globalDefault", True, "riskgrid-batch: is of another rank"),
    ],
    isolation.grants_the_least: [
        (RUNNER, "kind", "ClusterRole", "beyond the namespace"),
        (RUNNER, "rules.0.resources", ["daskworkergroups"], "grants"),
        (RUNNER, f"rules.0.resources.{MORE}", "secrets", "grants"),
        (RUNNER, "rules.0.resourceNames", GONE, "grants"),
        (RUNNER, f"rules.{MORE}", _rule("apps", "deployments", "create", "patch"), "deployments"),
        (RUNNER, f"rules.{MORE}", _rule("", "pods/attach", "create"), "pods/attach"),
        (RUNNER, f"rules.{MORE}", _rule("", "serviceaccounts/token", "create"), "serviceaccounts/token"),
        (RUNNER, f"rules.{MORE}", _rule("kubernetes.dask.org", "daskclusters", "patch"), "daskclusters"),
        (OPERATOR, "rules.0.verbs", ["*"], "grants"),
        (OPERATOR, "rules.5.verbs", ["create", "get", "list", "watch"], "grants"),
        (OPERATOR, "rules", [], "does not grant"),
        ("RoleBinding riskgrid-runner", "roleRef.name", "riskgrid-operator", "riskgrid-runner is right"),
        ("RoleBinding riskgrid-runner", "subjects.0.name", "default", "is for ServiceAccount default"),
        ("RoleBinding riskgrid-runner", "subjects.0.namespace", "default", "is for ServiceAccount riskgrid-runner"),
        ("RoleBinding riskgrid-operator", "subjects.0.name", "riskgrid", "is for ServiceAccount riskgrid;"),
        ("ServiceAccount riskgrid", "automountServiceAccountToken", True, "to every pod"),
        ("ServiceAccount riskgrid", "metadata.name", "other", "nobody knows of this account"),
    ],
    isolation.stays_in_its_namespace: [
        (API, "metadata.namespace", "default", "is in default"),
        ("Namespace riskgrid", "metadata.labels", {}, "restricted"),
        ("Namespace riskgrid", "metadata.labels.pod-security/enforce-version", "v1.22", "restricted"),
    ],
    credential.keeps_no_secret: [
        (SETTINGS, "kind", "Secret", "made by hand"),
        (SETTINGS, "data.RISKGRID_CATALOGUE", "postgresql://risk:pass@db/risk", "like a secret"),
        (SETTINGS, "data.RISKGRID_CATALOGUE", "postgresql://token@db/risk", "like a secret"),
        (SETTINGS, "data.RISKGRID_OIDC_JWKS", "https://login/x?client_secret=hunter2", "like a secret"),
        (SETTINGS, "data.AWS_SECRET_ACCESS_KEY", "x", "belongs in a secret"),
        (API, f"{CONTAINER}.env", [{"name": "PGPASSWORD", "value": "x"}], "PGPASSWORD"),
        (API, f"{CONTAINER}.command.{MORE}", "postgresql://db/r?password=hunter2", "like a secret"),
        (API, f"{CONTAINER}.command.{MORE}", "--password", "like a secret"),
    ],
    credential.each_role_holds_its_own: [
        (BATCH, f"{WORKER}.envFrom.{MORE}", STORE, "(worker): may read all of riskgrid-store"),
        (
            BATCH,
            f"{WORKER}.env.{MORE}",
            _key("A", "riskgrid-store", "RISKGRID_CATALOGUE"),
            "may read RISKGRID_CATALOGUE",
        ),
        (BATCH, f"{WORKER}.env.0.name", "DATABASE", "AWS_ACCESS_KEY_ID of riskgrid-store as DATABASE"),
        (BATCH, "spec.scheduler.spec.containers.0.envFrom.+", STORE, "(scheduler): may read all of riskgrid-store"),
        (API, f"{CONTAINER}.env.{MORE}", _key("A", "riskgrid-tls", "tls.key"), "may read tls.key of riskgrid-tls"),
        (API, f"{CONTAINER}.envFrom.1", {"configMapRef": {"name": "x"}}, "is not given all of riskgrid-store"),
        (
            API,
            f"{POD}.volumes.{MORE}",
            _files("riskgrid-ingress-tls", 0o777),
            "riskgrid-ingress-tls as files of mode 777",
        ),
        (API, f"{POD}.volumes.{MORE}", _files("riskgrid-tls", 0o440), "may read riskgrid-tls"),
        (API, f"{POD}.imagePullSecrets", [{"name": "riskgrid-tls"}], "riskgrid-tls to pull its image"),
        ("Job riskgrid-grid", f"{POD}.volumes.2.secret.defaultMode", 0o644, "riskgrid-tls as files of mode 644"),
    ],
    credential.only_the_grid_speaks_tls: [
        (SETTINGS, "data.RISKGRID_TLS", "", "tells every pod of certificates"),
        ("DaskCluster riskgrid-reserved", f"{WORKER}.env", [], "looks for its certificate in no folder"),
        (BATCH, f"{WORKER}.env.2.value", "", "it is in ['/etc/riskgrid/tls']"),
        (BATCH, f"{WORKER}.env.2.value", "/nowhere", "looks for its certificate in ['/nowhere']"),
        (BATCH, f"{WORKER}.volumeMounts.2.readOnly", GONE, "it is in []"),
        (API, f"{CONTAINER}.env.{MORE}", {"name": "RISKGRID_TLS", "value": "/tmp"}, "riskgrid-api: looks for"),
    ],
    commands.clusters_are_there: [
        ("Deployment riskgrid-runner", f"{CONTAINER}.command.2", "--cluster=tcp://other:8786", "is none of kubernetes"),
    ],
    commands.shells_run_what_they_must: [
        (API, f"{CONTAINER}.command", ["sh", "-c", "exec riskgrid api"], "has a shell run exec riskgrid api"),
        (API, f"{CONTAINER}.lifecycle.postStart", {"exec": {"command": ["sh"]}}, "beside its command"),
    ],
    exposure.services_are_of_the_cluster_alone: [
        (BATCH, "spec.scheduler.service.type", "LoadBalancer", "DaskCluster riskgrid: is of type LoadBalancer"),
        ("Service riskgrid-api", "spec.type", "NodePort", "is of type NodePort"),
        ("Service riskgrid-dashboard", "spec.externalIPs", ["10.1.2.3"], "externalIPs may open it"),
        ("Service riskgrid-api", "spec.ports.0.nodePort", 30080, "nodePort may open it"),
    ],
    exposure.ingress_leads_to_pages_alone: [
        (
            INGRESS,
            "spec.rules.0.http.paths.0.backend.service",
            {"name": "riskgrid-scheduler", "port": {"number": 8787}},
            "leads to",
        ),
        (INGRESS, "spec.rules.0.http.paths.0.backend.service.port.name", "metrics", "leads to"),
        (INGRESS, "spec.defaultBackend", {"service": {"name": "other", "port": {"number": 80}}}, "leads to"),
        (INGRESS, "metadata.annotations", {"nginx.ingress.kubernetes.io/ssl-redirect": "false"}, "answers over http"),
        (INGRESS, "metadata.annotations.nginx/server-snippet", "return 200;", "nobody knows nginx/server-snippet"),
        (INGRESS, "spec.tls.0.secretName", "riskgrid-tls", "another certificate"),
    ],
    exposure.pods_listen_where_they_say: [
        (BATCH, "spec.scheduler.spec.containers.0.ports.0.hostPort", 8786, "more than a name and a number"),
        (BATCH, "spec.scheduler.spec.containers.0.command.+", "--port=9999", "is told --port=9999"),
        (BATCH, f"{WORKER}.command.{MORE}", "--http-port=8786", "is told --http-port=8786"),
        (API, f"{CONTAINER}.ports.{MORE}", {"name": "debug", "containerPort": 5678}, "does not list the ports"),
    ],
    earnest.speaks_over_tls_alone: [
        (SETTINGS, "data.RISKGRID_S3_ENDPOINT", "http://s3.example:9000", "RISKGRID_S3_ENDPOINT: http://"),
        (SETTINGS, "data.RISKGRID_OIDC_ISSUER", "http://login.bank.example", "RISKGRID_OIDC_ISSUER: http://"),
        (API, f"{CONTAINER}.env.{MORE}", {"name": "RISKGRID_S3_ENDPOINT", "value": "http://s3"}, "http://s3"),
        (SETTINGS, "data.RISKGRID_STORE", "/srv/riskgrid", "is no bucket"),
    ],
    earnest.knows_who_asks: [
        (SETTINGS, "data.RISKGRID_OIDC_ISSUER", GONE, "RISKGRID_OIDC_ISSUER is not said"),
        (SETTINGS, "data.RISKGRID_OIDC_AUDIENCE", GONE, "RISKGRID_OIDC_AUDIENCE is not said"),
        (SETTINGS, "data.RISKGRID_RIGHTS", GONE, "RISKGRID_RIGHTS is not said"),
        (SETTINGS, "data.RISKGRID_RIGHTS", "/etc/riskgrid/rights.yaml", "rights.yaml is not mounted"),
        (SETTINGS, "data.TRUSTED_PROXIES", "*", "TRUSTED_PROXIES: *"),
        (SETTINGS, "data.TRUSTED_PROXIES", "10.0.0.0/8,0.0.0.0/0", "TRUSTED_PROXIES: 0.0.0.0/0"),
    ],
    earnest.runs_one_version: [
        (API, f"{CONTAINER}.image", "registry.example/riskgrid:main", "may move"),
        (API, f"{CONTAINER}.image", "other.example/riskgrid:0.1.0", "not what the overlay names"),
    ],
    passage.every_pod_is_fenced: [
        (
            "NetworkPolicy riskgrid-denied",
            "spec.podSelector",
            {"matchLabels": {"app.kubernetes.io/component": "api"}},
            "migrate-0-1-0: no NetworkPolicy governs its ingress",
        ),
    ],
    passage.pods_reach_each_other_as_they_must: [
        (FENCE, "spec.ingress.0.from.0.podSelector", {}, "(scheduler) lets in Deployment riskgrid-api at TCP 8786"),
        (
            FENCE,
            "spec.ingress.0.from.0.podSelector.matchExpressions.0.values",
            ["runner"],
            "(scheduler) lets in Job riskgrid-grid at no port; TCP 8786 is right",
        ),
        (FENCE, "spec.ingress.0.ports.0.endPort", 8790, "TCP 8786 to 8790"),
        (WORKERS, "spec.ingress.0.from.0.podSelector", {}, "(worker) lets in Deployment riskgrid-api at any port"),
        (
            WORKERS,
            "spec.egress.0.ports.0.port",
            8787,
            "(worker) lets out to DaskCluster riskgrid (scheduler) at TCP 8787",
        ),
        (WORKERS, "spec.egress.1.to.0.podSelector", {}, "(worker) lets out to Deployment riskgrid-api at any port"),
    ],
    passage.pods_are_reached_from_outside_as_they_must: [
        (FENCE, "spec.ingress.0.from", GONE, "(scheduler): is open to everything at TCP 8786"),
        (FENCE, "spec.ingress.0.from.0.namespaceSelector", {}, "is open to namespaces of any name, pods"),
        (FENCE, "spec.ingress.2.from.0.podSelector", GONE, "is open to namespace monitoring at TCP 8787"),
        (WORKERS, f"spec.ingress.{MORE}", {"from": [{"namespaceSelector": {}}]}, "namespaces of any name at any port"),
        (
            "NetworkPolicy riskgrid-service",
            f"spec.ingress.{MORE}",
            {},
            "riskgrid-api: is open to everything at any port",
        ),
        ("NetworkPolicy riskgrid-service", "spec.ingress.0.from", EVERYWHERE, "open to 0.0.0.0/0 at TCP 8000"),
        (
            "NetworkPolicy riskgrid-service",
            "spec.ingress.1.ports.0.port",
            9101,
            "closed to namespace monitoring at TCP 9100",
        ),
        ("NetworkPolicy riskgrid-runner", "spec.ingress", [{}], "riskgrid-runner: is open to everything"),
        ("NetworkPolicy riskgrid-denied", "spec.ingress", [{}], "riskgrid-operator: is open to everything"),
    ],
    passage.pods_reach_outside_as_they_must: [
        (BUCKET, "spec.egress.0.to", EVERYWHERE, "may go to 0.0.0.0/0 at TCP 443"),
        (BUCKET, f"spec.egress.{MORE}", {"to": EVERYWHERE}, "may go to 0.0.0.0/0 at any port"),
        (WORKERS, f"spec.egress.{MORE}", {}, "(worker): may go to everything at any port"),
        (FENCE, f"spec.egress.{MORE}", {}, "(scheduler): may go to everything at any port"),
        (
            DATABASE,
            "spec.podSelector.matchExpressions.0.values.+",
            "worker",
            "(worker): may go to 0.0.0.0/0 but 169.254",
        ),
        (DATABASE, "spec.podSelector.matchExpressions.0.values", ["api"], "migrate-0-1-0: may not go to 0.0.0.0/0 but"),
        ("NetworkPolicy riskgrid-names", "spec.egress", [], "may not go to namespace kube-system at UDP 53"),
    ],
}
_ROWS = [(check, *row) for check, rows in BREACHES.items() for row in rows]


@pytest.mark.parametrize(
    ("check", "thing", "path", "value", "said"), _ROWS, ids=[f"{row[1]}-{row[2]}-{row[4]}" for row in _ROWS]
)
def test_check__finds_a_breach(
    check: Callable[[Objects], list[str]],
    thing: str,
    path: str,
    value: Any,
    said: str,
    built: Callable[[str], Objects],
) -> None:
    objects = built(ALL)
    write(find(objects, thing), path, value)
    assert any(said in found for found in check(objects)), check(objects)


@pytest.mark.parametrize("image", ["other.example/riskgrid:0.1.0", "registry.example/riskgrid:main"])
def test_check__finds_another_image_in_all_pods(image: str, built: Callable[[str], Objects]) -> None:
    objects = built(ALL)
    for pod in pods(objects):
        for container in pod.containers:
            container["image"] = image
    assert len(earnest.runs_one_version(objects)) >= len(pods(objects))


def test_every_check__finds_something() -> None:
    assert {check for *_, check, _ in BROKEN} | set(BREACHES) >= {*CHECKS, *OF_PRODUCTION}
