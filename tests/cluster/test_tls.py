"""A scheduler and a worker as pods have them: real processes, real certificates."""

import contextlib
import http.client
import socket
import ssl
import time
import urllib.request

import pytest

from riskgrid.cluster import connect
from riskgrid.cluster.status import look_at
from riskgrid.cluster.tls import make_certificates, security
from riskgrid.engine.numerics import numerics
from riskgrid.errors import BadSpec
from riskgrid.running import run
from tests.cluster.parts import free_port, part
from tests.run import made

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    make_certificates(folder)
    return folder


@pytest.fixture(scope="module")
def cluster(certificates):
    """Address and HTTP port of a scheduler that has one worker."""
    port, probes, tls = free_port(), free_port(), {"RISKGRID_TLS": str(certificates)}
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--http-port", str(probes)]
    # the operator tells workers a tcp address, whatever the scheduler speaks
    told = {"DASK_SCHEDULER_ADDRESS": f"tcp://127.0.0.1:{port}", "DASK_WORKER_NAME": "pod-1"}
    with part(*scheduler, **tls), part("worker", "--threads", "2", "--http-port", "0", **tls, **told):
        until = time.monotonic() + 60
        while not workers_at(probes):
            assert time.monotonic() < until, "no worker has come"
            time.sleep(0.1)
        yield f"tls://127.0.0.1:{port}", probes


def workers_at(probes):
    with contextlib.suppress(OSError):
        return b"pod-1" in urllib.request.urlopen(f"http://127.0.0.1:{probes}/api/v1/get_workers", timeout=5).read()
    return False


def test_a_run_over_encrypted_connections_has_the_bits_of_threads(cluster, certificates, monkeypatch, tmp_path):
    monkeypatch.setenv("RISKGRID_TLS", str(certificates))
    book, market, scenarios = made.portfolio(60), made.market(), made.scenarios(count=6)
    here = run(book, market, scenarios, store=tmp_path / "here", cluster="threads:1", progress=None)
    there = run(book, market, scenarios, store=tmp_path / "there", cluster=cluster[0], progress=None)
    assert there.manifest["labour"]["workers"] == 2
    assert made.same_bits(here, there)
    found = look_at(cluster[0], numerics)
    assert [(one.name, one.threads, one.like) for one in found.workers] == [("pod-1", 2, True)]
    assert (found.queued, found.clients, found.wanted) == (0, 0, None)
    assert not look_at(cluster[0], object).workers[0].like


def test_who_has_no_certificate_does_not_reach_the_scheduler(cluster, certificates, monkeypatch):
    address = cluster[0]
    monkeypatch.delenv("RISKGRID_TLS", raising=False)
    with pytest.raises(BadSpec, match=f"no scheduler answers at '{address}': it asks for certificates; RISKGRID_TLS"):
        connect(address)
    host, port = address.removeprefix("tls://").split(":")
    context = ssl.create_default_context(cafile=certificates / "ca.crt")
    context.check_hostname = False
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain) as shaken,
        pytest.raises(ssl.SSLError, match="certificate required"),
    ):
        shaken.recv(1)  # the server says so after its own part of the handshake


def test_who_has_a_certificate_of_others_does_not_reach_the_scheduler(cluster, monkeypatch, tmp_path):
    make_certificates(tmp_path / "others")
    monkeypatch.setenv("RISKGRID_TLS", str(tmp_path / "others"))
    monkeypatch.setattr("riskgrid.cluster.connecting.ANSWER", 2.0)
    with pytest.raises(BadSpec, match="no scheduler answers at"):
        connect(cluster[0])


def test_who_speaks_plainly_does_not_reach_the_scheduler(cluster, certificates, monkeypatch):
    monkeypatch.setattr("riskgrid.cluster.connecting.ANSWER", 2.0)
    plain = cluster[0].replace("tls", "tcp")
    with pytest.raises(BadSpec, match="no scheduler answers at 'tcp:"):
        connect(plain)
    monkeypatch.setenv("RISKGRID_TLS", str(certificates))
    with pytest.raises(BadSpec, match="is not encrypted and RISKGRID_TLS is set"):
        connect(plain)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("health", 200),
        ("metrics", 200),
        ("api/v1", 200),
        ("status", 404),
        ("info/main/workers.html", 404),
        ("json/counts.json", 404),
    ],
)
def test_a_scheduler_answers_its_probes_and_no_more(cluster, path, status):
    connection = http.client.HTTPConnection("127.0.0.1", cluster[1], timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", f"/{path}")
        assert connection.getresponse().status == status


def test_certificates__are_never_written_over(certificates):
    with pytest.raises(BadSpec, match=r"has a ca\.crt already; another folder is right"):
        make_certificates(certificates)
    assert (certificates / "tls.key").stat().st_mode & 0o077 == 0


def test_security__names_the_file_that_is_missing(certificates, monkeypatch, tmp_path):
    (tmp_path / "ca.crt").touch()
    monkeypatch.setenv("RISKGRID_TLS", str(tmp_path))
    with pytest.raises(BadSpec, match=r"RISKGRID_TLS names .*, which has no tls\.crt; ca\.crt, tls\.crt, tls\.key are"):
        security()
    monkeypatch.delenv("RISKGRID_TLS")
    assert security() is None
