"""What is said to the Kubernetes API, by a server that speaks as it does; a real one is in tests/k8s."""

import http.server
import json
import threading
import time

import pytest
import yaml

from riskgrid.cluster import Expected, connect, kubernetes
from riskgrid.cluster.kubernetes import scheduler_of
from riskgrid.errors import BadSpec, ClusterLost

PATH = "/apis/kubernetes.dask.org/v1/namespaces/bank/daskworkergroups/risk-default/scale"


class Api(http.server.BaseHTTPRequestHandler):
    """Holds one DaskWorkerGroup."""

    def do_GET(self):
        self.answered()

    def do_PATCH(self):
        change = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Content-Type"] == "application/merge-patch+json"
        self.server.replicas = change["spec"]["replicas"]
        self.answered()

    def answered(self):
        status = self.server.status if self.path == PATH else 404
        content = json.dumps({"spec": {"replicas": self.server.replicas}}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def api(monkeypatch, tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        server.replicas, server.status = 2, 200
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        known = {"server": f"http://127.0.0.1:{server.server_port}"}
        config = {
            "clusters": [{"name": "c", "cluster": known}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        (tmp_path / "config").write_text(yaml.safe_dump(config))
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))
        kubernetes._api.cache_clear()
        yield server
        kubernetes._api.cache_clear()
        server.shutdown()
        thread.join()


def test_a_group_is_read_and_scaled(api):
    _, group = scheduler_of("bank/risk")
    assert group.size() == 2
    group.scale(5)
    assert api.replicas == 5
    assert group.size() == 5


def test_a_group_says_what_a_role_lacks_and_what_is_not_there(api):
    api.status = 403
    with pytest.raises(
        ClusterLost, match="cannot read the DaskWorkerGroup bank/risk-default: this service account may not"
    ):
        scheduler_of("bank/risk")[1].size()
    with pytest.raises(ClusterLost, match="cannot patch the DaskWorkerGroup bank/other-default: there is none"):
        scheduler_of("bank/other")[1].scale(3)
    api.status = 500
    with pytest.raises(ClusterLost, match="the Kubernetes API answers 500"):
        scheduler_of("bank/risk")[1].size()


def test_a_scheduler_is_found_by_the_name_of_its_service():
    assert scheduler_of("bank/risk")[0] == "risk-scheduler.bank:8786"
    assert scheduler_of("bank/")[0] == "riskgrid-scheduler.bank:8786"
    assert scheduler_of("")[0] == "riskgrid-scheduler.riskgrid:8786"  # outside a pod


@pytest.mark.parametrize("wrong", ["Bank/risk", "bank/risk/x", "bank/r:1", "bank/r.x"])
def test_a_name_that_is_none_is_refused(wrong):
    with pytest.raises(BadSpec, match="has no right name; kubernetes:NAMESPACE/NAME is right"):
        connect(f"kubernetes:{wrong}")


def test_a_scheduler_that_does_not_answer_may_come_back(api, monkeypatch):
    monkeypatch.setattr("riskgrid.cluster.connecting.ANSWER", 0.3)
    with pytest.raises(ClusterLost, match=r"no scheduler answers at 'tcp://risk-scheduler\.bank:8786'"):
        connect("kubernetes:bank/risk")


def test_reserved_workers_stay_as_many_as_they_are(api, monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setenv("RISKGRID_IDLE", "0.01")
    with LocalCluster(n_workers=0, processes=False, dashboard_address=":0", protocol="tcp://") as cluster:
        at = cluster.scheduler_address.removeprefix("tcp://")
        monkeypatch.setattr("riskgrid.cluster.connecting.scheduler_of", lambda where: (at, scheduler_of(where)[1]))
        with connect("kubernetes:bank/risk", fixed=True) as workers:
            assert workers.elastic is None
        assert api.replicas == 2
        with connect("kubernetes:bank/risk") as workers:
            workers.expect(Expected(busy=1e6, blocks=100, longest=1.0))
            until = time.monotonic() + 20
            while api.replicas != 10:  # all that the settings allow
                assert time.monotonic() < until
                time.sleep(0.02)
            assert workers.count == 40
        assert api.replicas == 0  # nobody else wants any
