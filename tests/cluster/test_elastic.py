"""Workers come when they are wanted, as many as all want together, and go when nobody does."""

import time

import pytest

from riskgrid.cluster import Expected, connect, elastic
from riskgrid.cluster.elastic import Elastic
from riskgrid.engine.budget import Limits
from riskgrid.errors import BadSpec, ClusterLost
from riskgrid.running import run
from riskgrid.settings import WorkerRange
from tests.cluster.parts import until
from tests.run import made


class Listed:
    """A group that notes what it is asked for."""

    starting = 0.0

    def __init__(self):
        self.asked, self.wrong = [0], None

    def size(self):
        if self.wrong is not None:
            raise self.wrong
        return self.asked[-1]

    def scale(self, workers):
        self.asked.append(workers)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setenv("RISKGRID_IDLE", "0.2")
    monkeypatch.setattr(elastic, "_TICK", 0.02)


@pytest.fixture(scope="module")
def client():
    """Of a scheduler without workers."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def watching(quick, client):
    """Makes what gives a group its workers; closed in the end."""
    made = []

    def make(most=10, least=0, threads=4, **options):
        group = Listed()
        made.append(Elastic(client, group, WorkerRange(least, most, threads), **options))
        return made[-1], group

    yield make
    for one in made:
        one.close()


def test_wishes__are_met_together_at_once_and_taken_back_when_idle(watching):
    scaling, group = watching()
    one, other = object(), object()
    scaling.wish(one, 7)
    until(lambda: group.asked == [0, 2])
    scaling.wish(other, 6)
    until(lambda: group.asked == [0, 2, 4])  # 13 threads
    scaling.withdraw(one)
    scaling.withdraw(other)
    until(lambda: group.asked == [0, 2, 4, 0])
    assert scaling.facts == [
        ("scaled", {"before": 0, "workers": 2}),
        ("scaled", {"before": 2, "workers": 4}),
        ("scaled", {"before": 4, "workers": 0}),
    ]


def test_wishes__stay_within_bounds(watching):
    scaling, group = watching(most=3, least=1)
    until(lambda: group.asked == [0, 1])
    scaling.wish(scaling, 1_000)
    until(lambda: group.asked == [0, 1, 3])
    scaling.withdraw(scaling)
    until(lambda: group.asked == [0, 1, 3, 1])


def test_wishes__of_several_processes_at_one_scheduler_add_up(watching, monkeypatch):
    here, group = watching(shared=True)
    elsewhere, others = watching(shared=True)
    elsewhere.wish(elsewhere, 8)
    here.wish(here, 8)
    until(lambda: group.asked[-1] == 4)
    until(lambda: others.asked[-1] == 4)
    here.withdraw(here)
    until(lambda: group.asked[-1] == 2)  # what the other wants stays
    monkeypatch.setattr(elastic, "_LAPSE", 0.3)
    elsewhere.wish(elsewhere, 12)
    until(lambda: group.asked[-1] == 3)
    elsewhere._closing.set()  # as if its process had died: it says nothing more
    until(lambda: group.asked[-1] == 0)


def test_closing__retires_what_nobody_wants_unless_it_is_kept(watching):
    going, group = watching()
    going.wish(going, 4)
    until(lambda: group.asked == [0, 1])
    going.close()
    assert group.asked == [0, 1, 0]
    kept, group = watching(keep=True)
    kept.wish(kept, 4)
    until(lambda: group.asked == [0, 1])
    kept.close()
    assert group.asked == [0, 1]


def test_a_group_that_cannot_be_scaled_is_told_once_and_tried_again(watching):
    scaling, group = watching()
    group.wrong = ClusterLost("the Kubernetes API does not answer")
    scaling.wish(scaling, 4)
    until(lambda: scaling.facts)
    time.sleep(0.1)
    assert scaling.facts == [("scaling failed", {"reason": "the Kubernetes API does not answer"})]
    group.wrong = None
    until(lambda: group.asked == [0, 1])


def test_a_run_gets_the_workers_that_its_deadline_needs(watching, monkeypatch):
    scaling, _ = watching(most=50)
    work = Expected(busy=3_600.0, blocks=10_000, longest=0.5)
    assert scaling.threads_for(work) == 16  # of the settings: 300 s
    monkeypatch.setenv("RISKGRID_DEADLINE", "60")
    assert scaling.threads_for(work) == 64
    assert scaling.threads_for(Expected(3_600.0, 10_000, 0.5, within=30.0)) == 124
    assert scaling.threads_for(Expected(3_600.0, 10_000, 0.5, within=1.0)) == 200  # all that there may be
    assert scaling.threads_for(Expected(0.0, 0, 0.0)) == 0


@pytest.mark.slow
def test_a_run_on_no_workers_starts_them_and_they_go_when_it_is_over(monkeypatch, tmp_path):
    monkeypatch.setenv("RISKGRID_IDLE", "0.5")
    book, market, scenarios = made.portfolio(60), made.market(), made.scenarios(count=6)
    here = run(book, market, scenarios, store=tmp_path / "here", cluster="threads:1", progress=None)
    with connect("processes:0-2") as workers:
        assert (workers.client.nthreads(), workers.count) == ({}, 1)
        there = run(
            book,
            market,
            scenarios,
            store=tmp_path / "there",
            cluster=workers.lent(),
            limits=Limits(seconds=60),
            progress=None,
        )
        assert made.same_bits(here, there)
        events = [(event.kind, event.data) for event in there.store.journal.events(there.run_id)]
        assert ("scaled", {"before": 0, "workers": 1}) in events
        until(lambda: not workers.client.nthreads())
        assert workers.count == 1  # what would run at once, were there any


@pytest.mark.parametrize("wrong", ["processes:3-1", "processes:0-0", "processes:a-b", "processes:0-2x0"])
def test_connect__refuses_a_range_that_is_none(wrong):
    with pytest.raises(BadSpec, match=f"cluster '{wrong}': .* is no range of workers"):
        connect(wrong)
