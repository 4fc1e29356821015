"""The morning in order: is it there, how much is it, why, who, and which scenario hurts."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import numpy as np
import xarray as xr

from riskgrid import charts, plots
from riskgrid.analysis.comparing import since
from riskgrid.analysis.differing import Difference, diff
from riskgrid.dashboards.card import Card, Later, Table, Word
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.markup import anchor
from riskgrid.dashboards.page import Content, Page
from riskgrid.dashboards.pages.drill_down.node import Node
from riskgrid.dashboards.pages.drill_down.risk import distribution, diversification, figures, moved
from riskgrid.dashboards.state import State
from riskgrid.page import Column, Row, Section, money, percent, share
from riskgrid.reporting import Report
from riskgrid.result import Run

__all__ = ["OVERVIEW"]

_ALONE = ("base_value", "value_at_risk", "expected_shortfall")
_ADDS = ("component_value_at_risk", "component_expected_shortfall")
_WORST = 10


def show(state: State, look: Look) -> Content:
    """Everything of one run and of what it is held against."""
    node = Node.of(
        State(run=state.run, against=state.against, convention=state.convention, by=state.by or "desk"), look
    )
    return {
        "standing": _standing(node.run, node.told, look),
        "figures": figures(node, node.told, node.then),
        "who": _who(node),
        "why": _why(node.run, node.before, node.how, look),
        "hurts": _hurts(node.told, state),
        "distribution": distribution(node, node.told),
    }


def _standing(run: Run, told: Report, look: Look) -> Card:
    """Whether it is today's, the latest and complete."""
    row, total = run.row, told.table.isel(node=0)
    newest = next((seen.row for seen in look.finished if seen.parent is None), row)
    complete = float(total["coverage"]) >= 1.0 and not float(total["unpriced"])
    facts = [
        (f"<b>{escape(_spoken(row.as_of))}</b>, {_age(row.as_of)}", ""),
        (
            ("Complete" if complete else f"{percent(float(total['coverage']))} covered")
            + f", {int(total['trades']):,} trades under {row.scenarios:,} scenarios",
            "good" if complete else "gap",
        ),
        (f"Computed {_made(run, look)} UTC", ""),
    ]
    for name, words in (("unshocked", "on factors without history"), ("stale", "on filled observations")):
        if (part := float(total[name])) > 0.0:
            facts.append((f"{percent(part, up=True)} of the pairs rest {words}", "gap"))
    if told.conventions["origin"]:
        link = anchor("not all data is real", State(page="runs", run=run.known_as))
        facts.append((link, "gap"))
    if newest.run_id != run.known_as and newest.as_of > row.as_of:
        facts.append((f"A later one is there: {anchor(newest.as_of, State())}", "gap"))
    if missing := int(total["unpriced"]):
        link = anchor(f"{missing:,} trades without a number", State(page="runs", run=run.known_as))
        facts.append((link, "gap"))
    if lost := told.conventions["rejected_rows"]:
        facts.append((f"{lost:,} rows could not be read", "gap"))
    if told.conventions["what_if"]:
        facts.append((f"What if: {escape(told.conventions['what_if'])}", ""))
    shown = "".join(f'<span class="{kind}">{words}</span>' for words, kind in facts)
    return Card("", Word(f'<p class="facts">{shown}</p>'))


def _made(run: Run, look: Look) -> str:
    """When the run itself was made, not what somebody may see of it."""
    return look.desk.door.row(run.known_as, look.who).row.created[:16].replace("T", " ")


def _who(node: Node) -> Card:
    """Each desk alone, its part of the whole, and what has changed."""
    table, by, meaning = node.told.table, node.by, node.told.conventions
    currency, changes = meaning["currency"], since(node.told, node.then)
    heads = [
        Column("Present value", currency),
        Column(f"VaR {meaning['value_at_risk']['percent']}", f"{currency}, alone"),
        Column("Change", "VaR alone", kind="change"),
        Column("Component VaR", f"{currency}, adds up"),
        Column(f"ES {meaning['expected_shortfall']['percent']}", f"{currency}, alone"),
        Column("Component ES", f"{currency}, adds up"),
        Column("Share", "of ES", kind="number"),
        Column("Change", "component ES", kind="change"),
    ]
    whole = float(table["expected_shortfall"][0])
    rows, bars = [], []
    links: list[State | None] = []
    parts = table["component_expected_shortfall"].values
    order = [0, *(1 + np.argsort(-np.nan_to_num(parts[1:]), kind="stable")).tolist()]
    for at in order:
        one = {str(name): float(table[name][at]) for name in (*_ADDS, *_ALONE)}
        # of VaR the change alone: a component is of one scenario, and another one the next day
        rise, part = (moved(float(changes[name][at])) for name in ("value_at_risk", _ADDS[1]))
        var, es = (money(one[name]) for name in _ADDS)
        cells = [money(one["base_value"]), money(one["value_at_risk"]), rise, var]
        cells += [money(one["expected_shortfall"]), es, share(one[_ADDS[1]], whole), part]
        value = str(table[by].values[at])
        rows.append(
            Row(plots.node_name(value, by) if at else "Total", cells, int(at > 0), _partial(table, at), parent=not at)
        )
        there = node.state.but(page="drill-down", by="")
        links.append(there.within(by, value) if at else there)
        bars.append(one[_ADDS[1]] / whole if at and whole and not np.isnan(one[_ADDS[1]]) else 0.0)
    rows.append(diversification(node, len(heads), (1, 4)))
    section = Section(f"Who: VaR and ES by {by}", by.capitalize(), heads, rows)
    body = Table(section, [*links, None], {6: [*bars, 0.0]}, adverse=(2, 7))
    note = "Components add up to the total; what desks lose alone does not, and the difference is diversification."
    full = table.assign({f"{name}_change": held.variable for name, held in changes.data_vars.items()})
    return Card(section.title, body, note, data=lambda: full.isel(node=order).drop_attrs(deep=False))


def _partial(table: xr.Dataset, at: int) -> bool:
    return float(table["coverage"][at]) < 1.0


def _why(run: Run, before: Run | None, how: Mapping[str, Any], look: Look) -> Card | Later:
    """What moved VaR, step by step, each an exact revaluation."""
    if before is None:
        return Card("Why", Word('<div class="empty">There is no earlier run to compare with.</div>'))
    levels = {name: how[name] for name in ("var_level", "es_level") if name in how}
    return look.later(
        f"Why VaR moved since {before.row.as_of}",
        "Revaluing step by step: market, scenarios, trades.",
        ("diff", (before, run), levels),
        lambda: diff(before, run, **levels),
        lambda found: _steps(found, before, run),
    )


def _steps(found: Difference, before: Run, run: Run) -> Card:
    moves = found.table["value_at_risk"].values[:, 0]
    first = float(found.table["value_at_risk_first"][0])
    ends = [before.row.as_of, run.row.as_of]
    if ends[0] == ends[1]:  # as of a what-if and what it changes
        ends = ["before", "after"]
    names = [f"VaR {ends[0]}", *(_step(str(name)) for name in found.table["step"].values)]
    figure = charts.waterfall(names, np.array([first, *moves]), f"VaR {ends[1]}")
    note = "Each step is an exact revaluation on top of those before; the order is that of the bars."
    if "portfolio" not in found.inputs:
        note += " The trades are the same."
    return Card(f"Why VaR moved since {before.row.as_of}", figure, note, data=found.to_dataset)


_STEPS = {"scenarios": "Window of scenarios", "portfolio": "Trades", "market": "Market"}


def _step(name: str) -> str:
    return _STEPS.get(name, name[:1].upper() + name[1:])


def _hurts(told: Report, state: State) -> Card:
    """The scenarios that lose most; a click leads to the trades behind one."""
    title = f"Which scenario hurts, {told.conventions['currency']}"
    if not told.total.size or bool(told.total.isnull().any()):
        return Card(title, Word('<div class="empty">No trade has a number in every scenario.</div>'))
    figure = plots.worst_scenarios(told.total, _WORST)
    names = told.total["scenario"].values[np.argsort(told.total.values, kind="stable")[:_WORST]]
    links = {str(name): state.but(page="drill-down", part="tail", scenario=str(name)) for name in names}
    note = "The worst scenarios of the whole; click one for the trades that lose in it."
    return Card(title, figure, note, links, lambda: told.total.to_dataset(name="pnl"))


def _spoken(date: str) -> str:
    return datetime.date.fromisoformat(date[:10]).strftime("%a %-d %b %Y")


def _age(date: str, today: Callable[[], datetime.date] = datetime.date.today) -> str:
    days = (today() - datetime.date.fromisoformat(date[:10])).days
    if days <= 0:
        return "today's"
    return f"{days} day{'s' * (days != 1)} old" if days < 60 else "a date of the past"


OVERVIEW = Page(
    "overview",
    "Overview",
    (("standing",), ("figures",), ("who",), ("why", "hurts"), ("distribution",)),
    show,
)
