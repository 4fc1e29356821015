"""What is deployed: one image without rights, kinds and tables in place, services that answer."""

from __future__ import annotations

import json
import re
import urllib.request

import pytest

from tests.k8s.e2e.deployed import Deployed
from tests.k8s.e2e.kubectl import Cluster

#: Components that run the image all the time.
PARTS = ("api", "dashboard", "runner", "operator", "scheduler")


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=120) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize("component", PARTS)
def test_image__runs_as_a_user_without_rights_on_a_root_that_nobody_writes(cluster: Cluster, component: str) -> None:
    script = "id -u; id -un; for at in / /opt/riskgrid /etc; do touch $at/x 2>&1; done; touch /tmp/x && echo written"
    *told, last = cluster.inside(component, "sh", "-c", script).splitlines()
    assert told[:2] == ["1000", "riskgrid"]
    assert [line.rpartition(": ")[2] for line in told[2:]] == ["Read-only file system"] * 3
    assert last == "written"


def test_image__has_neither_compilers_nor_tests_nor_the_caches_of_its_making(cluster: Cluster) -> None:
    script = "command -v gcc cc make; ls -d /build /root/.cache /opt/riskgrid/lib/python3*/site-packages/tests; true"
    assert cluster.inside("runner", "sh", "-c", f"({script}) 2>/dev/null") == ""


def test_kernels__were_compiled_when_the_image_was_built(cluster: Cluster) -> None:
    told = cluster.inside("runner", "riskgrid", "compile", seconds=300.0)
    assert re.match(r"0 loops compiled, \d\d+ found compiled, ", told), told


def test_operator__runs_from_our_own_manifests_and_has_made_what_the_cluster_describes(cluster: Cluster) -> None:
    account = cluster.pods("operator")[0]["spec"]["serviceAccountName"]
    assert account == "riskgrid-operator"
    assert cluster("get", "clusterrolebindings", "--output", "name").count("riskgrid") == 0
    assert cluster.get("daskworkergroup", "riskgrid-default")["spec"]["worker"]["replicas"] == 0
    assert cluster.get("service", "riskgrid-scheduler")["spec"]["ports"][0]["port"] == 8786


def test_migrations__are_complete_and_nothing_is_left_to_do(cluster: Cluster) -> None:
    (job,) = cluster.get("jobs", "--selector", "app.kubernetes.io/part-of=riskgrid")["items"]
    assert job["status"]["succeeded"] == 1
    told = re.fullmatch(
        r"catalogue postgresql://\S+: (\d+) -> (\d+)\n", cluster.inside("runner", "riskgrid", "migrate")
    )
    assert told is not None
    assert told[1] == told[2]


def test_api__is_ready_and_says_which_code_it_is(deployment: Deployed, cluster: Cluster) -> None:
    with cluster.forwarded("riskgrid-api", 80) as url:
        assert json.loads(read(f"{url}/ready")) == {"status": "ok"}
        said = json.loads(read(f"{url}/version"))
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", said["commit"])
    assert not said["development"]


def test_dashboard__is_ready_and_leads_to_its_page(cluster: Cluster) -> None:
    with cluster.forwarded("riskgrid-dashboard", 80) as url:
        assert json.loads(read(f"{url}/ready")) == {"status": "ok"}
        assert "riskgrid" in read(f"{url}/desk")


def test_network_policies__are_taken_by_this_cluster(cluster: Cluster) -> None:
    """Whether it enforces them is its network's business: that of a bare machine does not."""
    text = cluster("kustomize", "k8s/overlays/production")
    policies = [one for one in re.split(r"^---$", text, flags=re.MULTILINE) if "\nkind: NetworkPolicy\n" in one]
    assert policies
    cluster("apply", "--dry-run=server", "--filename", "-", given="---\n".join(policies))
