"""Health, readiness, version and counts."""

import re
import resource

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

import riskgrid
from riskgrid import sample
from riskgrid.access import Door
from riskgrid.acting import ask_what_if
from riskgrid.api.app import make_app
from riskgrid.api.readiness import FRESH_SECONDS, Readiness
from riskgrid.api.service import Service
from riskgrid.principal import EVERYTHING, Principal
from riskgrid.running import run
from riskgrid.store import Store
from riskgrid.store.migrating import downgrade


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    market, scenarios = sample.market(), sample.scenarios(count=20)
    return run(sample.portfolio(100), market, scenarios, store=store, progress=None)


def client_of(store, who=EVERYTHING):
    service = Service(Door(store), authenticate=lambda _: who)
    return TestClient(make_app(service)), service


def test_health__needs_nothing(tmp_path):
    client, _ = client_of(Store(tmp_path / "nowhere"))
    assert (client.get("/health").status_code, client.get("/health").json()) == (200, {"status": "ok"})
    assert not (tmp_path / "nowhere").exists()


def test_ready__of_a_store_that_can_be_used(tmp_path, made):
    assert client_of(made.store)[0].get("/ready").status_code == 200
    assert client_of(Store(tmp_path / "new"))[0].get("/ready").status_code == 200


def test_ready__says_that_a_store_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("no folder")
    said = client_of(Store(tmp_path / "file"))[0].get("/ready")
    assert (said.status_code, said.json()["detail"]) == (503, "the store cannot be written: file exists")


def test_ready__of_a_full_disk_says_so_and_no_path_and_looks_again_soon(tmp_path):
    now = [0.0]
    client, service = client_of(Store(tmp_path))
    service.__dict__["readiness"] = Readiness(service.door.store, clock=lambda: now[0])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))  # no file takes a byte, as on a disk that is full
    try:
        first = client.get("/ready")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (first.status_code, first.json()["detail"]) == (503, "the store cannot be written: file too large")
    assert str(tmp_path) not in first.text
    assert client.get("/ready").status_code == 503  # not written anew for each that asks
    now[0] = FRESH_SECONDS
    assert client.get("/ready").status_code == 200
    assert list(tmp_path.glob(".probe*")) == []


def test_a_store_that_cannot_be_read__is_said_without_its_places(tmp_path):
    made = run(sample.portfolio(20), sample.market(), sample.scenarios(count=5), store=tmp_path, progress=None)
    for path in (path for path in tmp_path.rglob("*") if path.is_file() and "catalogue" not in path.name):
        path.unlink()
    said = client_of(Store(tmp_path))[0].get(f"/api/v1/runs/{made.run_id}/report")
    assert said.status_code == 503
    assert said.json()["detail"] == "the store of the service cannot be used; its log says why"
    assert str(tmp_path) not in said.text


def test_ready__says_that_tables_are_another_versions(postgres, tmp_path):
    store = Store(tmp_path, catalogue=postgres)
    client, _ = client_of(store)
    assert client.get("/ready").status_code == 200
    with store.catalogue.database.transaction() as connection:
        connection.execute(sa.text("update alembic_version set version_num = '9999'"))
    said = client.get("/ready")
    assert (said.status_code, "is at revision 9999" in said.json()["detail"]) == (503, True)
    with store.catalogue.database.transaction() as connection:
        connection.execute(sa.text("update alembic_version set version_num = '0004'"))
    downgrade(store.catalogue.database, "0003")
    said = client.get("/ready")
    assert (said.status_code, "run `riskgrid migrate`" in said.json()["detail"]) == (503, True)
    store.catalogue.close()


def test_version__is_that_of_the_package(tmp_path):
    found = client_of(Store(tmp_path))[0].get("/version").json()
    assert found["riskgrid"] == riskgrid.__version__
    assert found["backend"] in ("numba", "numba, interpreted", "numpy")
    assert found["development"] is False


def number(text, line):
    found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.M)
    return None if found is None else float(found[1])


def test_metrics__count_requests_runs_blocks_and_answers(made):
    client, service = client_of(made.store)
    assert number(client.get("/metrics").text, "riskgrid_coverage") is None  # 0 would be an alarm at each start
    for _ in range(3):
        assert client.get(f"/api/v1/runs/{made.run_id}/report").status_code == 200
    client.get("/api/v1/runs/nothing/report")
    seen = ask_what_if(service.door, EVERYTHING, made.run_id, {"shift": {"equity:*": "-5%"}})
    text = client.get("/metrics").text
    route = 'route="/api/v1/runs/{run_id}/report"'
    assert number(text, f'riskgrid_requests_total{{method="GET",{route},status="200"}}') == 3
    assert number(text, f'riskgrid_requests_total{{method="GET",{route},status="404"}}') == 1
    assert number(text, f'riskgrid_request_seconds_count{{method="GET",{route}}}') == 4
    assert number(text, 'riskgrid_answers_total{how="found"}') == 2
    assert number(text, 'riskgrid_jobs{status="complete"}') >= 2
    counts = seen.row.manifest
    assert number(text, 'riskgrid_blocks_total{how="priced"}') == counts["blocks"]["priced"] > 0
    assert number(text, "riskgrid_valuations_total") == counts["valuations"] > 0
    assert number(text, "riskgrid_trades_total") == 100
    assert number(text, "riskgrid_coverage") == 1.0
    assert number(text, "riskgrid_catalogue_up") == 1.0
    labels = set(re.findall(r'(\w+)="', text))
    assert labels <= {"method", "route", "status", "how", "le", "priority"}
    assert made.run_id not in text


def test_metrics__tell_how_long_runs_wait(tmp_path):
    from riskgrid.jobs import submit
    from riskgrid.question import ask

    store = Store(tmp_path)
    submit(ask(sample.portfolio(20), sample.market(), sample.scenarios(count=5)), store)
    text = client_of(store)[0].get("/metrics").text
    assert number(text, 'riskgrid_queue_length{priority="0"}') == 1
    assert number(text, 'riskgrid_queue_age_seconds{priority="0"}') >= 0
    assert number(text, 'riskgrid_jobs{status="queued"}') == 1


def test_metrics__are_an_admins(tmp_path):
    said = client_of(Store(tmp_path), Principal("kim", frozenset({"read", "run"})))[0].get("/metrics")
    assert (said.status_code, said.json()["detail"]) == (403, "'kim' may read, run; this needs the scope 'admin'")


def test_metrics__say_that_the_catalogue_is_away(tmp_path):
    client, _ = client_of(Store(tmp_path, catalogue="postgresql://nobody@127.0.0.1:1/none"))
    assert number(client.get("/metrics").text, "riskgrid_catalogue_up") == 0.0
