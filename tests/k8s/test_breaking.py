"""A manifest that is broken is found, by the check that is for it, and named."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.k8s import availability, commands, hardening, schemas, wiring
from tests.k8s.breaking import API, CONTAINER, GONE, SETTINGS, WORKER, find, write
from tests.k8s.overlay import Objects
from tests.k8s.test_overlays import ALL

#: What is broken and where, what is written there, by which check it is found, and what that says of it.
BROKEN: list[tuple[str, str, Any, Callable[[Objects], list[str]], str]] = [
    (API, "spec.replcias", 3, schemas.fits_schema, "'replcias' was unexpected"),
    (API, f"{CONTAINER}.livenessProbe.httpGet.port", [8000], schemas.fits_schema, "livenessProbe"),
    ("PodDisruptionBudget riskgrid-api", "apiVersion", "policy/v1beta1", schemas.fits_schema, "riskgrid-api: top"),
    ("DaskCluster riskgrid", "spec.worker.replica", 3, schemas.fits_schema, "'replica' was unexpected"),
    ("DaskCluster riskgrid", "spec.scheduler.service", GONE, schemas.fits_schema, "'service' is a required property"),
    ("DaskCluster riskgrid-reserved", "spec.worker.replicas", "one", schemas.fits_schema, "not of type 'integer'"),
    ("PodMonitor riskgrid-worker", "spec.podMetricsEndpoints.0.intervall", "5s", schemas.fits_schema, "intervall"),
    (API, "kind", "StatefulSet", hardening.is_looked_at, "StatefulSet riskgrid-api: has pods that no check looks at"),
    (API, f"{CONTAINER}.resources.limits.memory", GONE, hardening.is_bounded, "no limit of memory"),
    (API, f"{CONTAINER}.resources.requests.memory", "1Mi", hardening.is_bounded, "not what is asked for"),
    (API, "spec.template.spec.volumes.0.emptyDir", {}, hardening.is_bounded, "volume tmp has no sizeLimit"),
    (API, "spec.template.spec.volumes.0", {"name": "tmp", "hostPath": {"path": "/"}}, hardening.is_bounded, "a kind"),
    (API, f"{CONTAINER}.readinessProbe", GONE, hardening.is_watched, "has no readinessProbe"),
    (API, f"{CONTAINER}.livenessProbe.httpGet.port", "https", hardening.is_watched, "asks at port https"),
    (API, "spec.template.spec.priorityClassName", GONE, hardening.has_its_rank, "no priority class"),
    (
        "DaskCluster riskgrid",
        "spec.worker.spec.priorityClassName",
        "riskgrid-interactive",
        hardening.has_its_rank,
        "batch",
    ),
    (API, "spec.template.spec.tolerations", GONE, hardening.leaves_a_lost_node, "five minutes"),
    (
        API,
        "spec.template.spec.automountServiceAccountToken",
        True,
        hardening.speaks_to_kubernetes_only_where_it_must,
        "automountServiceAccountToken is True",
    ),
    (
        API,
        "spec.template.spec.serviceAccountName",
        "riskgrid-operator",
        hardening.speaks_to_kubernetes_only_where_it_must,
        "is the service account riskgrid-operator",
    ),
    (
        API,
        "spec.template.spec.enableServiceLinks",
        GONE,
        hardening.speaks_to_kubernetes_only_where_it_must,
        "enableServiceLinks",
    ),
    (API, f"{CONTAINER}.image", "registry.example/riskgrid:latest", hardening.names_its_image, "no version"),
    (API, f"{CONTAINER}.image", "registry.example:5000/riskgrid", hardening.names_its_image, "no version"),
    (API, f"{CONTAINER}.image", "registry.example/riskgrid:0.0.9", hardening.names_its_image, "several versions"),
    ("Service riskgrid-api", "metadata.name", "riskgrid_api", wiring.has_a_name, "no DNS label"),
    ("Job riskgrid-migrate-0-1-0", "metadata.name", "riskgrid-migrate-0.1.0_RC1", wiring.has_a_name, "no DNS label"),
    ("Job riskgrid-migrate-0-1-0", "metadata.name", f"migrate-{'0a' * 32}", wiring.has_a_name, "has 72 characters"),
    ("CronJob riskgrid-nightly", "metadata.name", "n" * 53, wiring.has_a_name, "52 are the most"),
    (API, f"{CONTAINER}.envFrom.1.secretRef.name", "riskgrid-stroe", wiring.names_what_there_is, "riskgrid-stroe"),
    (API, f"{CONTAINER}.envFrom.0.configMapRef.name", "settings", wiring.names_what_there_is, "no ConfigMap settings"),
    ("DaskCluster riskgrid", f"{WORKER}.env.0.valueFrom.secretKeyRef.key", "KEY", wiring.names_what_there_is, "no KEY"),
    (API, "spec.template.spec.volumes.0.name", "temp", wiring.names_what_there_is, "no volume tmp"),
    (API, "spec.template.spec.serviceAccountName", "risk", wiring.names_what_there_is, "no ServiceAccount risk"),
    ("Service riskgrid-api", "spec.selector", {"app": "api"}, wiring.services_reach_pods, "fits no pod"),
    ("Service riskgrid-api", "spec.ports.0.targetPort", "web", wiring.services_reach_pods, "no pod has a port web"),
    (
        "Service riskgrid-dashboard",
        "metadata.name",
        "dashboard",
        wiring.services_reach_pods,
        "no Service riskgrid-dash",
    ),
    (
        "DaskCluster riskgrid",
        "spec.scheduler.service.ports.1.name",
        "http",
        wiring.services_reach_pods,
        "http-dashboard",
    ),
    (
        "PodDisruptionBudget riskgrid-scheduler",
        "spec.selector.matchLabels",
        {"app.kubernetes.io/component": "schedular"},
        wiring.selectors_select,
        "no pod is selected",
    ),
    (
        "ServiceMonitor riskgrid-service",
        "spec.endpoints.0.port",
        "counts",
        wiring.selectors_select,
        "has a port counts",
    ),
    ("HorizontalPodAutoscaler riskgrid-api", "spec.scaleTargetRef.name", "api", wiring.selectors_select, "no api"),
    (API, f"{CONTAINER}.command.5", "--metrics-prot=9100", commands.commands_are_known, "--metrics-prot"),
    (API, f"{CONTAINER}.command.3", "--port=web", commands.commands_are_known, "'web' is not a valid integer"),
    (API, f"{CONTAINER}.command.1", "apis", commands.commands_are_known, "no command apis"),
    (API, f"{CONTAINER}.command.6", "--trusted-proxies=$(PROXIES)", commands.commands_are_known, "$(PROXIES)"),
    ("Job riskgrid-grid", f"{CONTAINER}.env", GONE, commands.commands_are_known, "Missing argument 'ADDRESS'"),
    (
        "CronJob riskgrid-nightly",
        "spec.jobTemplate.spec.template.spec.containers.0.command.2",
        "exec riskgrid submit run.yaml --kee x",
        commands.commands_are_known,
        "--kee",
    ),
    (SETTINGS, "data.RISKGRID_PATIENSE", "900", commands.settings_are_known, "did you mean RISKGRID_PATIENCE"),
    (SETTINGS, "data.RISKGRID_PATIENCE", "soon", commands.settings_are_known, "RISKGRID_PATIENCE is 'soon'"),
    (SETTINGS, "data.DEBUG", "1", commands.settings_are_known, "nobody reads DEBUG"),
    (SETTINGS, "data.RISKGRID_WORKERS", "0-50x8", commands.workers_are_as_planned, "RISKGRID_WORKERS says 8"),
    ("DaskCluster riskgrid", f"{WORKER}.resources.limits.cpu", "2", commands.workers_are_as_planned, "on 2 processors"),
    (
        "DaskCluster riskgrid-reserved",
        "metadata.name",
        "reserved",
        commands.clusters_are_there,
        "--interactive-cluster=kubernetes:riskgrid-reserved is none of",
    ),
    (API, "spec.replicas", 2, availability.outlives_a_drained_node, "undoes what its autoscaler"),
    (API, "spec.template.spec.topologySpreadConstraints", GONE, availability.outlives_a_drained_node, "on one node"),
    ("Deployment riskgrid-runner", "spec.replicas", 1, availability.outlives_a_drained_node, "2 replicas are right"),
    (
        "PodDisruptionBudget riskgrid-api",
        "kind",
        "Nothing",
        availability.outlives_a_drained_node,
        "0 disruption budgets",
    ),
    (
        "Service riskgrid-dashboard",
        "spec.sessionAffinity",
        "None",
        availability.keeps_a_browser_at_one_dashboard,
        "sessionAffinity: ClientIP is right",
    ),
    (
        "Ingress riskgrid-dashboard",
        "metadata.annotations",
        {},
        availability.keeps_a_browser_at_one_dashboard,
        "affinity by cookie is right",
    ),
    ("Ingress riskgrid-api", "spec.tls", GONE, availability.keeps_a_browser_at_one_dashboard, "has no TLS"),
    (
        "Job riskgrid-migrate-0-1-0",
        f"{CONTAINER}.image",
        "registry.example:5000/riskgrid:0.2.0",
        availability.migrates_once_a_version,
        "riskgrid-migrate-0-2-0 is right",
    ),
    (
        "Job riskgrid-grid",
        "spec.template.spec.restartPolicy",
        "Never",
        availability.plain_workers_come_back,
        "end for good with their scheduler",
    ),
    (
        "Deployment riskgrid-runner",
        f"{CONTAINER}.command.2",
        "--cluster=kubernetes",
        availability.plain_workers_come_back,
        "--cluster=tls://riskgrid-scheduler:8786 is right",
    ),
    ("CronJob riskgrid-nightly", "kind", "CronJob", schemas.is_of_an_old_cluster, "no such kind in 1.20"),
]


@pytest.mark.parametrize(
    ("thing", "path", "value", "check", "said"), BROKEN, ids=[f"{row[0]}-{row[1]}" for row in BROKEN]
)
def test_check__finds_what_is_broken(
    thing: str,
    path: str,
    value: Any,
    check: Callable[[Objects], list[str]],
    said: str,
    built: Callable[[str], Objects],
) -> None:
    objects = built(ALL)
    write(find(objects, thing), path, value)
    assert any(said in found for found in check(objects)), check(objects)
