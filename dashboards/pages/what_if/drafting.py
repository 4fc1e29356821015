"""What the forms of the What-if page do: each puts one change into the draft, checked by the library; one runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riskgrid.acting import ask_what_if, cancel
from riskgrid.change import Changes
from riskgrid.dashboards.look import HIERARCHY, Look
from riskgrid.dashboards.page import Act
from riskgrid.dashboards.pages.what_if.branches import MOST
from riskgrid.dashboards.pages.what_if.draft import Draft
from riskgrid.dashboards.pages.what_if.stresses import episode, stress_of
from riskgrid.dashboards.pages.what_if.trade_form import number_of, row_of
from riskgrid.dashboards.state import State
from riskgrid.errors import BadChanges, BadSpec
from riskgrid.result import Run

__all__ = ["ACTS"]

#: Characters of a name, as over HTTP.
_MOST_NAME = 200

type Fields = Mapping[str, str]


def _add(state: State, look: Look, fields: Fields) -> Mapping[str, Any]:
    run, instrument = look.run(state), fields.get("instrument", "")
    row = row_of(instrument, fields)
    draft = Draft.of(state.draft)
    draft = draft.added(instrument, row)
    _check({"add": {instrument: [row]}}, run)
    if empty := [label for label in HIERARCHY if not row.get(label)]:
        named = f"{', '.join(empty[:-1])} and {empty[-1]} are" if len(empty) > 1 else f"{empty[0]} is"
        raise BadChanges(
            f"{named} empty, so the trade would hang under none; a name that is offered or a new one is right"
        )
    return _kept(draft, run)


def _trades(state: State, look: Look, fields: Fields) -> Mapping[str, Any]:
    """One cell of the grid: whether a trade is dropped, or its quantity."""
    run, draft = look.run(state), Draft.of(state.draft)
    for field, text in fields.items():
        what, _, trade = field.partition(":")
        if what == "drop":
            draft = draft.dropped(trade, out=bool(text))
        elif not text.strip():
            draft = draft.resized(trade, None)
        else:
            size: Any = number_of(text.strip())
            _check({"resize": {trade: size}}, run)
            same = size == run.portfolio.trade(trade)["quantity"]
            draft = draft.resized(trade, None if same else size)
    return _kept(draft, run)


def _shift(state: State, look: Look, fields: Fields) -> Mapping[str, Any]:
    run, pattern = look.run(state), fields.get("pattern", "").strip()
    shock = fields.get("shock", "").strip().replace("\N{MINUS SIGN}", "-")
    _check({"shift": {pattern: shock}}, run)
    return _kept(Draft.of(state.draft).shifted(pattern, shock), run)


def _rehang(state: State, look: Look, fields: Fields) -> Mapping[str, Any]:
    run = look.run(state)
    where = {fields.get("where_label", ""): fields.get("where_value", "").strip()}
    to = {fields.get("to_label", ""): fields.get("to_value", "").strip()}
    _check({"rehang": [{"where": where, "to": to}]}, run)
    draft = Draft.of(state.draft).rehung(where, to)
    if not len(run.trade_places(where)):  # of no trade that there is: of one that the draft adds, or none
        Changes.from_dict({part: draft.form[part] for part in ("add", "rehang") if part in draft.form}).portfolio(
            run.portfolio
        )
    return _kept(draft, run)


def _stress(state: State, look: Look, fields: Fields) -> Mapping[str, Any]:
    """One of the library: its lines as shifts of the market, or it as a whole on top of every scenario."""
    run, draft = look.run(state), Draft.of(state.draft)
    if "shift" in fields:
        for pattern, shock in stress_of(run, fields["shift"]).lines:
            draft = draft.shifted(pattern, shock)
        _check({"shift": draft.form["shift"]}, run)
    else:
        chosen = stress_of(run, fields.get("over", ""))
        draft = draft.laid_over(chosen.name, chosen.lines) if chosen.lines else draft.over(chosen.name)
    return _kept(draft, run)


def _inputs(state: State, look: Look, fields: Fields) -> Mapping[str, Any]:
    """Another market or other scenarios, by the names that they are kept by, or the sample's market of a date."""
    run, draft = look.run(state), Draft.of(state.draft)
    for part in ("snapshot", "scenarios"):
        if fields.get(part):
            kind = "market" if part == "snapshot" else part
            look.desk.door.inputs.named(kind, fields[part], look.who)
            draft = draft.replacing(part, fields[part])
    if fields.get("date", "").strip():
        when = {"date": fields["date"].strip(), "history": "sample"}
        _check({"date": when}, run)
        draft = draft.replacing("date", when)
    return _kept(draft, run)


def _find(_state: State, _look: Look, fields: Fields) -> Mapping[str, Any]:
    return {"trade": fields.get("find", "").strip(), "start": 0}


def _run(state: State, look: Look, fields: Fields) -> Mapping[str, Any]:
    """A little what-if is made before this returns, others wait for a runner."""
    run, draft = look.run(state), Draft.of(state.draft)
    if not draft.form:
        raise BadChanges("nothing is changed yet; put a change into the draft first")
    name = fields.get("name", "").strip()
    if len(name) > _MOST_NAME:
        raise BadSpec(f"the name has {len(name):,} characters; {_MOST_NAME} are right at most")
    form = dict(draft.form)
    over = form.get("overlay")
    if isinstance(over, dict) and isinstance(over.get("episode"), str):
        form["overlay"] = episode(over["episode"], run.market)
    seen = ask_what_if(look.desk.door, look.who, run.known_as, form, name=name, quota=look.desk.quota)
    if seen.row.run_id == run.known_as:
        raise BadChanges("the draft changes nothing in this run")
    others = [each for each in state.beside if each != seen.row.run_id]
    return {"run": run.known_as, "beside": (*others, seen.row.run_id)[-MOST:]}


def _cancel(_: State, look: Look, fields: Fields) -> Mapping[str, Any]:
    cancel(look.desk.door, look.who, fields.get("run", ""))
    return {}


def _check(form: Mapping[str, Any], run: Run) -> None:
    """InputError for a change that cannot be made to what is seen of a run."""
    changes = Changes.from_dict(form)
    changes.delta(run.portfolio)
    changes.market(run.market)


def _kept(draft: Draft, run: Run) -> Mapping[str, Any]:
    """A draft is of one run: what is the latest one may be another tomorrow."""
    return {"run": run.known_as, "draft": draft.text}


#: By the names of the forms.
ACTS: Mapping[str, Act] = {
    "add": Act(_add),
    "trades": Act(_trades),
    "shift": Act(_shift),
    "rehang": Act(_rehang),
    "stress": Act(_stress),
    "inputs": Act(_inputs),
    "find": Act(_find),
    "run": Act(_run, prices=True),
    "cancel": Act(_cancel),
}
