"""Stress scenarios: the grammar of a shock, which line wins, and every sentence of a wrong file."""

import json
import re
from pathlib import Path

import pytest

from riskgrid.errors import BadScenarios
from riskgrid.registry import SCENARIO_SETS
from riskgrid.scenarios.set import check_against
from riskgrid.scenarios.stress import parse_shock, stress


@pytest.mark.parametrize(
    ("text", "shift"),
    [
        ("-20%", (0.8, 0.0)),
        ("+7.5%", (1.075, 0.0)),
        ("x1.5", (1.5, 0.0)),
        ("x 0.25", (0.25, 0.0)),
        ("+50bp", (1.0, 0.005)),
        ("-1e2 bp", (1.0, -0.01)),
        ("+1%p", (1.0, 0.01)),
        ("+0.01", (1.0, 0.01)),
        ("- .5", (1.0, -0.5)),
        ("=0.02", (0.0, 0.02)),
        ("=-0.4%", (0.0, -0.004)),
        ("=200bp", (0.0, 0.02)),
        (0.01, (1.0, 0.01)),
        (-3, (1.0, -3.0)),
    ],
)
def test_parse_shock__reads_the_grammar(text, shift):
    assert parse_shock(text) == shift


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("20%", "shock '20%' cannot be read; right is e.g. -20%"),
        ("0.01", "cannot be read"),
        ("+20 percent", "cannot be read"),
        ("", "cannot be read"),
        (True, "shock True cannot be read"),
        (float("nan"), "shock nan cannot be read"),
        (None, "shock None cannot be read"),
        ("+-20%", "has two signs"),
        ("-100%", "takes a level to zero or below"),
        ("x0", "takes a level to zero or below"),
        ("x50%", "right is a positive multiple"),
        ("+3vol", "is in volatility points; right is a vol factor"),
    ],
)
def test_parse_shock__names_what_it_cannot_read(text, sentence):
    with pytest.raises(BadScenarios, match=sentence):
        parse_shock(text)


def test_parse_shock__counts_volatility_points_of_volatilities():
    assert parse_shock("+3 vol", volatility=True) == (1.0, 0.03)


YAML = """
oil shock:
  - "equity:*": -10%
  - "equity:BOLT": -25%
  - "commodity:WTI:*": x0.6
rates up:
  - "zero:USD-TREASURY:*": +100bp
  - "vol:*": +5vol
  - "fx:EUR": +0.01
"""


def test_stress__shifts_what_its_lines_name_the_later_line_winning(market):
    found = stress(YAML, market)
    assert found.scenario.values.tolist() == ["oil shock", "rates up"]
    oil = found.sel(scenario="oil shock")
    assert float(oil.scale.sel(factor="equity:ACME")) == 0.9
    assert float(oil.scale.sel(factor="equity:BOLT")) == 0.75
    assert float(oil.scale.sel(factor="commodity:WTI:6M")) == 0.6
    assert float(oil.offset.sel(factor="zero:USD-TREASURY:2Y")) == 0.0
    up = found.sel(scenario="rates up")
    assert float(up.offset.sel(factor="zero:USD-TREASURY:2Y")) == 0.01
    assert float(up.offset.sel(factor="vol:EURUSD:1Y:1.00")) == 0.05
    assert float(up.offset.sel(factor="fx:EUR")) == 0.01
    assert "par:USD-TREASURY:2Y" not in found.factor
    assert check_against(found, market) is found


def test_stress__reads_a_file_and_a_mapping_alike(tmp_path, market):
    (tmp_path / "stress.yaml").write_text(YAML)
    from_file = stress(tmp_path / "stress.yaml", market)
    rows = {
        "oil shock": {"equity:*": "-10%", "equity:BOLT": "-25%", "commodity:WTI:*": "x0.6"},
        "rates up": [{"zero:USD-TREASURY:*": "+100bp"}, {"vol:*": "+5vol"}, {"fx:EUR": 0.01}],
    }
    assert from_file.identical(stress(rows, market))
    assert from_file.identical(stress(YAML, market))
    assert from_file.identical(stress(str(tmp_path / "stress.yaml"), market))
    (tmp_path / "stress.yaml").rename(tmp_path / "stress.yml")
    assert from_file.identical(stress(str(tmp_path / "stress.yml"), market))


@pytest.mark.parametrize("form", [str, Path])
def test_stress__names_a_file_it_cannot_read(tmp_path, market, form):
    path = tmp_path / "stress.yaml"
    where = re.escape(str(path))
    with pytest.raises(BadScenarios, match=f"{where}: there is no such file"):
        stress(form(path), market)
    for content, sentence in (
        (b"a: \xff\xfe", "the file is not UTF-8 at byte 3"),
        (b"a: [", "the scenarios are no YAML"),
        (b"", "there are none"),
        (b"- a", "a list is none"),
    ):
        path.write_bytes(content)
        with pytest.raises(BadScenarios, match=f"{where}: .*{sentence}"):
            stress(form(path), market)
    path.unlink()
    path.mkdir()
    with pytest.raises(BadScenarios, match=f"{where}: the file cannot be read"):
        stress(form(path), market)


def test_stress__states_its_lines(market):
    facts = json.loads(stress({"down": {"equity:*": "-10%"}}, market).attrs["provenance"])
    assert facts == {"kind": "stress", "shocks": {"down": [["equity:*", "-10%"]]}}


def test_stress__lists_every_wrong_line(market):
    with pytest.raises(BadScenarios) as caught:
        stress({"a": {"equity:ACNE": "-10%"}, "b": {"fx:EUR": "10%", "equity:*": "+3vol"}}, market)
    first, second, third = str(caught.value).split("\n")[:3]
    assert "scenario 'a': unknown factor 'equity:ACNE'; did you mean 'equity:ACME'?" in first
    assert "scenario 'b', 'fx:EUR': shock '10%' cannot be read" in second
    assert "scenario 'b', 'equity:*': shock '+3vol' is in volatility points" in third


@pytest.mark.parametrize(
    ("shocks", "sentence"),
    [
        ({}, "a mapping of scenario name to lines .*; there are none"),
        (None, "a mapping of scenario name to lines .*; there are none"),
        ("", "a mapping of scenario name to lines .*; there are none"),
        (5, "a mapping of scenario name to lines .*; a int is none"),
        ("- a\n- b\n", "a mapping of scenario name to lines"),
        ("a: [", "the scenarios are no YAML"),
        ("a: {'fx:EUR': -1%}\na: {'fx:EUR': -2%}\n", "'a' stands twice"),
        ("a: {'fx:EUR': -1%, 'fx:EUR': -2%}\n", "'fx:EUR' stands twice in line 1"),
        ({"a": "fx:EUR -1%"}, "scenario 'a': 'fx:EUR -1%' is no list of 'pattern: shock' lines"),
        ({"a": ["fx:EUR -1%"]}, "scenario 'a': .* is no list"),
    ],
)
def test_stress__names_what_is_no_stress_file(market, shocks, sentence):
    with pytest.raises(BadScenarios, match=sentence):
        stress(shocks, market)


def test_stress__refuses_a_curve_in_two_spaces(market):
    with pytest.raises(BadScenarios, match="scenario 'a' shifts curve 'USD-TREASURY' in par and in zero space"):
        stress({"a": {"par:*": "+1bp", "zero:USD-TREASURY:2Y": "+1bp"}}, market)


def test_stress__is_registered():
    assert SCENARIO_SETS["stress"] is stress


@pytest.mark.parametrize("shock", [{"equity:*": "-2000"}, {"fx:EUR": "=0"}, {"vol:SPX:*": "-90 vol"}])
def test_a_shock__that_takes_a_price_or_a_volatility_below_zero_is_named(shock):
    from riskgrid import sample

    (pattern,) = shock
    with pytest.raises(BadScenarios, match=rf"scenario 'crash', '{re.escape(pattern)}': it takes '.*' from .* to"):
        stress({"crash": shock}, sample.market())
