"""The jobs of a store and one of them whole: what is said of them, to whom, and what may be done."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace

import numpy as np
import pytest

import riskgrid as rg
from riskgrid.access import Door
from riskgrid.analysis.failing import failures
from riskgrid.books import Books
from riskgrid.dashboards.card import Card, Live, Table, Word
from riskgrid.dashboards.desk import Desk
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.markup import card_html
from riskgrid.dashboards.pages.runs.job import far
from riskgrid.dashboards.pages.runs.one_run import ACTS
from riskgrid.dashboards.pages.runs.page import RUNS
from riskgrid.dashboards.state import State
from riskgrid.errors import Forbidden, UnknownName
from riskgrid.jobs import submit
from riskgrid.page import percent
from riskgrid.principal import EVERYTHING, Principal
from riskgrid.profiling import profile
from riskgrid.question import ask
from riskgrid.store import Store
from tests.run import made

ANN = Principal("ann", frozenset({"run"}), None)
FLOW = Principal("flow", frozenset({"run"}), Books.of({"desk": "Flow"}))
PROGRESS = {"total": 40, "priced": 10, "found": 5, "failed": 1, "valuations": 9, "seconds": 2.5, "planned": True}


@dataclass
class Jobs:
    """A store with a run of every status, by name."""

    store: Store
    desk: Desk
    ids: dict[str, str]

    def look(self, who=EVERYTHING):
        return Look(self.desk, who)

    def show(self, who=EVERYTHING, **state):
        """What stands in the slots: of what changes by itself, what stands there now."""
        content = RUNS.show(State(page="runs", **state), self.look(who))
        return {key: card.card if isinstance(card, Live) else card for key, card in content.items()}

    def one(self, name, who=EVERYTHING, **state):
        return self.show(who, run=self.ids[name], **state)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("jobs"))
    book, market, days = made.portfolio(40), made.market(), made.scenarios(count=20)
    rg.keep(book, "book of all", store=store)
    ids = {}
    whole = rg.run(book, market, days, store=store, name="whole", progress=None)
    ids["whole"] = whole.run_id
    ids["gaps"] = rg.run(book, *without("AAPL", market, days), store=store, name="gaps", progress=None).run_id
    trade = whole.trade_table()["trade_id"].values[0]
    ids["what-if"] = rg.what_if(whole, {"drop": [trade]}, name="what-if").run_id
    question = ask(book, market, days)
    for name in ("waiting", "at work", "failed", "cancelled", "interrupted"):
        ids[name] = submit(question, store, name=name, principal="ann").run_id
    working = store.queue.claim(ids["at work"], "host:1", 3600.0)
    store.journal.tell(ids["at work"], "progress", PROGRESS, fence=working.fence)
    broken = store.queue.claim(ids["failed"], "host:1", 30.0)
    reason = "its <time> was over"
    store.catalogue.finish(
        ids["failed"], "failed", result_id=None, seconds=3.2, manifest=None, reason=reason, fence=broken.fence
    )
    store.queue.cancel(ids["cancelled"], "ann")
    store.queue.claim(ids["interrupted"], "host:1", 1e-9)
    return Jobs(store, Desk(Door(store)), ids)


def without(share, market, days):
    """A market in which a share has no price, and scenarios of what is left."""
    use = np.array([share not in factor for factor in market.factors])
    kept = tuple(np.array(market.factors)[use].tolist())
    origin = {factor: market.origin[factor] for factor in kept if factor in market.origin}
    return replace(market, factors=kept, levels=market.levels[use], origin=origin), days.sel(factor=list(kept))


def rows(card):
    """Cells by the name of the row."""
    assert isinstance(card.body, Table)
    return {row.name: row.cells for row in card.body.section.rows}


def text(card):
    assert isinstance(card, Card)
    return html.unescape(re.sub(r"<[^>]+>", " ", card_html(card, "slot")))


# -- the list --------------------------------------------------------------------------------------------------


def test_runs__are_listed_with_their_status_the_latest_first(jobs):
    listed = rows(jobs.show()["jobs"])
    told = {name: cells[0] for name, cells in listed.items()}
    assert list(told)[-1] == "whole"
    assert told | {"gaps": "", "whole": "", "what-if": ""} == {
        "waiting": "Waiting",
        "at work": "At work",
        "failed": "Failed",
        "cancelled": "Cancelled",
        "interrupted": "Interrupted",
        "gaps": "",
        "whole": "",
        "what-if": "",
    }
    assert listed["what-if"][2] == "whole"
    assert listed["whole"][3].split() == ["320", "\N{MULTIPLICATION SIGN}", "20"]


def test_runs__tell_their_coverage_once_it_was_found_out(jobs):
    state, desk = State(page="runs"), Desk(Door(jobs.store))
    first = RUNS.show(state, Look(desk, EVERYTHING))["jobs"]
    assert isinstance(first, Live)
    assert rows(first.card)["gaps"][4] == ""
    then = first.again(Look(desk, EVERYTHING))
    assert isinstance(then, Card)
    run = rg.open_run(jobs.ids["gaps"], store=jobs.store)
    assert rows(then)["gaps"][4] == percent(float(run.aggregate()["coverage"].values[0])) != "100 %"
    assert rows(then)["gaps"][0] == "Complete, with gaps"
    assert rows(then)["whole"][4] == "100 %"


@pytest.mark.parametrize(("status", "name"), [("failed", "failed"), ("queued", "waiting"), ("running", "at work")])
def test_runs__can_be_narrowed_to_a_status(jobs, status, name):
    assert list(rows(jobs.show(part=status)["jobs"])) == [name]


def test_runs__say_so_where_there_is_none(jobs, tmp_path):
    assert "No run is partial" in text(jobs.show(part="partial")["jobs"])
    empty = RUNS.show(State(page="runs"), Look(Desk(Door(Store(tmp_path))), EVERYTHING))
    assert "Nothing has been run" in text(empty["jobs"])


def test_runs__come_in_pages(jobs, tmp_path):
    store = Store(tmp_path)
    row = jobs.store.catalogue.get(jobs.ids["failed"])
    for number in range(60):
        store.catalogue.add(replace(row, run_id=f"{number:012x}", name=f"job {number}", request_key=None))
    look, state, seen = Look(Desk(Door(store)), EVERYTHING), State(page="runs"), []
    for more in (1, 1, 0):
        content = RUNS.show(state, look)
        seen += list(rows(content["jobs"]))
        following = re.findall(r'href="([^"]+)">Earlier', content["ways"].body.html)
        assert len(following) == more
        state = State.of(html.unescape("".join(following)))
    assert seen == [f"job {number}" for number in range(59, -1, -1)]


def test_now__shows_how_far_those_at_work_are(jobs):
    card = jobs.show()["now"]
    assert [(name, *cells[:3]) for name, cells in rows(card).items()] == [
        ("at work", "At work", "40 %", "16 of 40"),
        ("waiting", "Waiting", "", ""),
    ]
    assert card.body.bars[1] == [0.4, 0.0]


def test_now__asks_for_the_whole_view_anew_where_a_run_has_come(jobs, tmp_path):
    store = Store(tmp_path)
    desk, state = Desk(Door(store)), State(page="runs")
    before = RUNS.show(state, Look(desk, EVERYTHING))["now"]
    assert before.card is None
    assert isinstance(before.again(Look(desk, EVERYTHING)), Live)
    store.catalogue.add(replace(jobs.store.catalogue.get(jobs.ids["failed"]), request_key=None))
    assert before.again(Look(desk, EVERYTHING)) is None


# -- one of them -----------------------------------------------------------------------------------------------


def test_run__that_failed_says_why_and_stays_text(jobs):
    shown = jobs.one("failed")
    assert "its &lt;time&gt; was over" in shown["run"].body.html
    assert "Resume" in text(shown["run"])
    assert "Failed" in text(shown["course"])
    assert "Particulars" in text(shown["course"])
    assert set(shown) == {"run", "course"}


def test_run__at_work_shows_a_bar_and_is_looked_at_again_until_it_has_ended(jobs):
    state = State(page="runs", run=jobs.ids["at work"])
    course = RUNS.show(state, jobs.look())["course"]
    assert isinstance(course, Live)
    assert '<progress value="0.4000"' in course.card.body.html
    assert isinstance(course.again(jobs.look()), Live)
    assert not isinstance(RUNS.show(State(page="runs", run=jobs.ids["cancelled"]), jobs.look())["course"], Live)


def test_run__that_came_to_its_end_asks_for_the_whole_view_anew(jobs):
    question = ask(made.portfolio(2), made.market(), made.scenarios(count=2))
    waiting = submit(question, jobs.store, name="short", principal="ann").run_id
    course = RUNS.show(State(page="runs", run=waiting), jobs.look())["course"]
    jobs.store.queue.cancel(waiting, "ann")
    assert course.again(jobs.look()) is None
    jobs.store.catalogue.remove(waiting)


def test_run__names_what_it_was_asked(jobs):
    told = text(jobs.one("whole")["asked"])
    run = rg.open_run(jobs.ids["whole"], store=jobs.store)
    assert "'book of all'" in told
    assert run.manifest["environment"]["python"] in told
    assert "made" in told
    assert not any(key in told for key in run.manifest["inputs"].values())


def test_run__lists_trades_without_a_number_below_their_reason(jobs):
    look, state = jobs.look(), State(page="runs", run=jobs.ids["gaps"])
    later = RUNS.show(state, look)["failures"]
    card = later if isinstance(later, Card) else later.make()
    found = failures(rg.open_run(jobs.ids["gaps"], store=jobs.store))
    assert found.sizes["trade"] > 0
    reasons = [row for row in card.body.section.rows if not row.depth]
    assert {row.cells[-1] for row in reasons} == set(found["problem"].values)
    listed = {row.name: link for row, link in zip(card.body.section.rows, card.body.links, strict=True) if row.depth}
    trade = str(found["trade_id"].values[0])
    assert listed[trade] == State(page="drill-down", run=state.run, part="trades", trade=trade)
    assert card.data().sizes["trade"] == found.sizes["trade"]


def test_run__of_whose_events_there_is_nothing_more_to_say_has_no_empty_column(jobs):
    told = text(jobs.one("waiting", FLOW)["course"])
    assert "What" in told
    assert "Particulars" not in told


def test_run__without_gaps_has_no_failures(jobs):
    assert "failures" not in jobs.one("whole")


def test_run__shows_where_its_time_went(jobs):
    card = jobs.one("whole")["time"]
    told = profile(rg.open_run(jobs.ids["whole"], store=jobs.store))
    assert card.note == " ".join(told.advice)
    assert card.data()["seconds"].values.tolist() == [part.seconds for part in told.parts]


def test_run__leads_to_its_what_ifs_and_these_to_it(jobs):
    shown = jobs.one("whole")["what_ifs"]
    assert list(rows(shown)) == ["what-if"]
    assert shown.body.links == [State(page="runs", run=jobs.ids["what-if"])]
    assert f"run={jobs.ids['whole']}" in jobs.one("what-if")["run"].body.html


def test_run__that_is_not_there_is_unknown(jobs):
    with pytest.raises(UnknownName):
        jobs.show(run="nothing")


# -- by whom ---------------------------------------------------------------------------------------------------


def test_hidden__is_what_only_the_whole_run_tells(jobs):
    listed = rows(jobs.show(FLOW)["jobs"])
    assert "what-if" not in listed
    assert listed["gaps"][0] == "Finished"
    assert (listed["gaps"][3], listed["gaps"][4], listed["gaps"][7]) == ("20", "", "")
    one = jobs.one("whole", FLOW)
    assert "time" not in one
    assert "book of all" not in text(one["asked"])
    assert "Python" not in text(one["asked"])
    assert "its &lt;time&gt;" not in jobs.one("failed", FLOW)["run"].body.html
    assert "<progress" not in jobs.one("at work", FLOW)["course"].body.html


def test_hidden__failures_and_coverage_are_of_ones_own_trades(jobs):
    look, state = jobs.look(FLOW), State(page="runs", run=jobs.ids["gaps"])
    content = RUNS.show(state, look)
    failing = content["failures"]
    card = failing if isinstance(failing, Card) else failing.make()
    assert set(card.data()["desk"].values) == {"Flow"}
    assert set(content["coverage"].links) == {"Flow"}


def test_buttons__are_there_for_those_who_may(jobs):
    assert "Cancel" in text(jobs.one("waiting", ANN)["run"])
    assert 'data-act="cancel"' not in jobs.one("waiting", ANN)["run"].body.html
    assert 'data-act="cancel"' in jobs.one("waiting", ANN, part="cancel")["run"].body.html
    assert "Cancel" not in text(jobs.one("waiting", FLOW)["run"])
    assert "Cancel" not in text(jobs.one("waiting", Principal("ann", books=None))["run"])
    assert "Resume" not in text(jobs.one("whole", ANN)["run"])


def test_cancel_and_resume__act_with_the_rights_of_who_asks(jobs):
    state = State(page="runs", run=jobs.ids["waiting"], part="cancel")
    with pytest.raises(Forbidden):
        ACTS["cancel"].do(state, jobs.look(FLOW), {})
    assert ACTS["cancel"].do(state, jobs.look(ANN), {}) == {"part": ""}
    assert jobs.store.catalogue.get(jobs.ids["waiting"]).status == "cancelled"
    ACTS["resume"].do(state, jobs.look(ANN), {})
    assert jobs.store.catalogue.get(jobs.ids["waiting"]).status == "queued"


def test_far__forgets_what_an_earlier_attempt_has_told(jobs):
    events = jobs.desk.door.events(jobs.ids["at work"], EVERYTHING)
    assert far(events) == (0.4, "16 of 40")
    assert far([*events, replace(events[-1], kind="running", data={})]) == (None, "")
    assert far([replace(events[-1], data={**PROGRESS, "planned": False})]) == (None, "16, still planning")


def test_words__of_a_run_are_escaped(jobs):
    for name in jobs.ids:
        for card in jobs.one(name).values():
            if isinstance(card, Card) and isinstance(card.body, Word):
                assert "<time>" not in card.body.html
