"""The page on serving says what is so."""

import re
from pathlib import Path

from riskgrid.access import Door
from riskgrid.api.asking import MOST_LINES, MOST_RULES, MOST_TRADES
from riskgrid.api.body import SMALL
from riskgrid.api.service import Service, Sizes
from riskgrid.settings import told
from riskgrid.store import Store

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")


def test_page__names_every_setting():
    assert {each.variable for each in told()} <= set(re.findall(r"`(RISKGRID_[A-Z0-9_]+)`", PAGE))


def test_page__names_every_metric(tmp_path):
    service = Service(Door(Store(tmp_path)))
    counted = set(re.findall(r"^# TYPE (\w+)", service.metrics.text().decode(), re.M))
    made = {name for name in counted if not name.endswith("_created")}
    assert made == set(re.findall(r"`(riskgrid_\w+)`", PAGE))


def test_page__gives_the_bounds_of_the_code(tmp_path):
    sizes, service = Sizes(), Service(Door(Store(tmp_path)))
    assert f"| {sizes.body // 1_000_000} MB, within 60 s; above {SMALL // 1024} kB" in PAGE
    assert f"| nesting of JSON | {sizes.depth} |" in PAGE
    assert f"| {sizes.numbers // 1_000_000} million |" in PAGE
    assert f"| columns of a table that is uploaded | {sizes.columns:,} |" in PAGE
    assert f"| trades of one kind of change of a what-if | {MOST_TRADES:,} |" in PAGE
    assert f"of its overlay | {MOST_RULES:,}; {MOST_LINES:,} |" in PAGE
    assert f"at work | {service.quota} |" in PAGE
