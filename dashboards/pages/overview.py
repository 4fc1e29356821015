"""The morning in order: is it there, how much is it, why, who, and which scenario hurts."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import xarray as xr

from riskgrid import charts, plots
from riskgrid.analysis.differing import Difference, diff
from riskgrid.dashboards.card import Card, Later, Table, Word
from riskgrid.dashboards.convention import measures_of
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.markup import anchor, signed
from riskgrid.dashboards.page import Content, Page
from riskgrid.dashboards.state import State
from riskgrid.page import Column, Row, Section, money, percent, share
from riskgrid.reporting import Report, report
from riskgrid.result import Run

__all__ = ["OVERVIEW"]

_MEASURES = ("base_value", "value_at_risk", "expected_shortfall")
_WORST = 10


def show(state: State, look: Look) -> Content:
    """Everything of one run and of what it is held against."""
    run = look.run(state)
    before = look.before(state, run)
    by = look.next_label(State(by=state.by or "desk"), run)
    how = measures_of(state.convention)
    told = report(run, [by], **how)
    then = None if before is None else report(before, [by], **how)
    return {
        "standing": _standing(run, told, look),
        "figures": _figures(told, then, look),
        "who": _who(told, then, state, by),
        "why": _why(run, before, how, look),
        "hurts": _hurts(told, state),
        "distribution": _distribution(told, look),
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
        (f"Computed {row.created[:16].replace('T', ' ')} UTC", ""),
    ]
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


def _figures(told: Report, then: Report | None, look: Look) -> Card:
    """PV, VaR, ES and the worst scenario, each with its change."""
    node, meaning = told.table.isel(node=0), told.conventions
    whose = "" if look.who.books is None else " of your books"
    heads = [
        f"Present value{whose}",
        f"VaR {meaning['value_at_risk']['percent']}{whose}",
        f"ES {meaning['expected_shortfall']['percent']}{whose}",
    ]
    shown = []
    for head, name in zip(heads, _MEASURES, strict=True):
        change = (
            "" if then is None else _change(float(node[name]), float(then.table[name][0]), risk=name != "base_value")
        )
        shown.append(f"<div><dt>{head}</dt><dd>{signed(money(float(node[name])))}</dd>{change}</div>")
    worst = f"{node['worst_scenario'].values}"
    shown.append(
        f"<div><dt>Worst scenario, {escape(worst)}</dt><dd>{signed(money(float(node['worst_pnl'])))}</dd>"
        f'<dd class="change">{meaning["currency"]}, loss of VaR and ES positive</dd></div>'
    )
    return Card("", Word(f'<dl class="figures">{"".join(shown)}</dl>'))


def _change(now: float, then: float, *, risk: bool) -> str:
    moved = now - then
    text = f"{'+' if moved > 0 else ''}{money(moved)}"
    beside = share(moved, abs(then)) if then else ""
    rate = f" ({'+' if moved > 0 else ''}{beside})".replace("-", "\N{MINUS SIGN}") if beside else ""
    return f'<dd class="change">{signed(text, "change", adverse=risk)}{rate}</dd>'


def _who(told: Report, then: Report | None, state: State, by: str) -> Card:
    """Each desk alone, its part of the whole, and what has changed."""
    table, meaning = told.table, told.conventions
    currency = meaning["currency"]
    order = _order(table)
    earlier = _earlier(table, then, by)
    columns = [
        Column("Present value", currency),
        Column(f"VaR {meaning['value_at_risk']['percent']}", f"{currency}, alone"),
        Column("Component VaR", f"{currency}, adds up"),
        Column("Change", "component VaR", kind="change"),
        Column(f"ES {meaning['expected_shortfall']['percent']}", f"{currency}, alone"),
        Column("Component ES", f"{currency}, adds up"),
        Column("Share", "of ES", kind="number"),
        Column("Change", "component ES", kind="change"),
    ]
    whole = float(table["expected_shortfall"][0])
    rows, links, bars = [], [], []
    for at in order:
        node = table.isel(node=at)
        part = float(node["component_expected_shortfall"])
        name = (str(node[by].values) or "(none)") if at else "Total"
        cells = [
            money(float(node["base_value"])),
            money(float(node["value_at_risk"])),
            money(float(node["component_value_at_risk"])),
            _moved(float(node["component_value_at_risk"]), earlier["component_value_at_risk"], at),
            money(float(node["expected_shortfall"])),
            money(part),
            share(part, whole),
            _moved(part, earlier["component_expected_shortfall"], at),
        ]
        rows.append(Row(name, cells, int(at > 0), float(node["coverage"]) < 1.0, parent=not at))
        links.append(
            state.but(page="drill-down").within(by, str(node[by].values), by="") if at else state.but(page="drill-down")
        )
        bars.append(part / whole if whole and at else 0.0)
    rows.append(_diversification(table, len(columns)))
    section = Section(f"Who: VaR and ES by {by}", by.capitalize(), columns, rows)
    body = Table(section, [*links, None], {6: [*bars, 0.0]}, adverse=(3, 7))
    note = "Components add up to the total; what desks lose alone does not, and the difference is diversification."
    return Card(section.title, body, note, data=lambda: table.drop_attrs(deep=False))


def _order(table: xr.Dataset) -> list[int]:
    """The total, then what adds most."""
    parts = table["component_expected_shortfall"].values[1:]
    return [0, *(1 + np.argsort(-np.nan_to_num(parts), kind="stable")).tolist()]


def _earlier(table: xr.Dataset, then: Report | None, by: str) -> Mapping[str, Sequence[float]]:
    """The components of the same nodes in the earlier report; 0 for one that was not there, NaN where there is none."""
    names = ("component_value_at_risk", "component_expected_shortfall")
    if then is None:
        return {name: [float("nan")] * table.sizes["node"] for name in names}
    places = {value: at for at, value in enumerate(then.table[by].values.tolist()) if at}
    found = [0, *(places.get(value, -1) for value in table[by].values.tolist()[1:])]
    return {name: [float(then.table[name][at]) if at >= 0 else 0.0 for at in found] for name in names}


def _moved(now: float, then: Sequence[float], at: int) -> str:
    change = now - then[at]
    return "" if np.isnan(change) else f"{'+' if change > 0.5 else ''}{money(change)}"


def _diversification(table: xr.Dataset, width: int) -> Row:
    cells = [""] * width
    for place, name in ((1, "value_at_risk"), (4, "expected_shortfall")):
        values = table[name].values
        cells[place] = money(float(values[0] - values[1:].sum()))
    return Row("Diversification", cells, 1)


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
    return Card(f"Why VaR moved since {before.row.as_of}", figure, note, data=found.to_dataset)


_STEPS = {"scenarios": "Window of scenarios", "portfolio": "Trades", "market": "Market"}


def _step(name: str) -> str:
    return _STEPS.get(name, name[:1].upper() + name[1:])


def _hurts(told: Report, state: State) -> Card:
    """The scenarios that lose most; a click leads to the trades behind one."""
    figure = plots.worst_scenarios(told.total, _WORST)
    names = told.total["scenario"].values[np.argsort(told.total.values, kind="stable")[:_WORST]]
    links = {str(name): state.but(page="drill-down", part="tail", scenario=str(name)) for name in names}
    note = "The worst scenarios of the whole; click one for the trades that lose in it."
    return Card(
        f"Which scenario hurts, {told.conventions['currency']}",
        figure,
        note,
        links,
        lambda: told.total.to_dataset(name="pnl"),
    )


def _distribution(told: Report, look: Look) -> Card:
    node = told.table.isel(node=0)
    of = {
        name: node[name].assign_attrs(level=float(told.conventions[name]["level"]))
        for name in ("value_at_risk", "expected_shortfall")
    }
    figure = plots.pnl_distribution(told.total, of["value_at_risk"], of["expected_shortfall"])
    whose = "" if look.who.books is None else " of your books"
    return Card(f"P&L over all scenarios{whose}", figure, data=lambda: told.total.to_dataset(name="pnl"))


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
