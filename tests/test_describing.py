"""Schemas against what they describe: portfolios, measures and generators themselves."""

import inspect
import json

import pandas as pd
import pytest

from riskgrid.describing import generator_schema, instrument_schema, measure_schema
from riskgrid.errors import RiskgridError, UnknownName
from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS, MEASURES, SCENARIO_SETS


def read(name, trade):
    return Portfolio.from_tables({name: pd.DataFrame([trade])})


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_instrument_schema__has_an_example_that_a_portfolio_reads(name):
    schema = instrument_schema(name)
    (example,) = schema["examples"]
    read_back = read(name, example).trade("T-1")
    assert set(schema["properties"]) == set(read_back) - {"instrument"}
    for column, value in example.items():
        assert str(read_back[column]) == str(value)


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_instrument_schema__requires_just_what_a_portfolio_requires(name):
    schema = instrument_schema(name)
    (example,) = schema["examples"]
    for column in schema["properties"]:
        less = {key: value for key, value in example.items() if key != column}
        if column in schema["required"]:
            with pytest.raises(RiskgridError, match=column):
                read(name, less)
        else:
            found = read(name, less).trade("T-1")[column]
            told = schema["properties"][column]
            expected = example[told["x-default-from"]] if "x-default-from" in told else told["default"]
            assert str(found) == str(expected)


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_instrument_schema__bounds_and_choices_are_those_of_a_portfolio(name):
    schema = instrument_schema(name)
    (example,) = schema["examples"]
    for column, told in schema["properties"].items():
        wrong = []
        if "exclusiveMinimum" in told:
            wrong.append(told["exclusiveMinimum"])
        if "minimum" in told:
            wrong.append(told["minimum"] - 1)
        if "maximum" in told:
            wrong.append(told["maximum"] + 1)
        if "enum" in told:
            wrong.append("none of these")
        for value in wrong:
            with pytest.raises(RiskgridError, match=column):
                read(name, {**example, column: value})


@pytest.mark.parametrize("name", MEASURES)
def test_measure_schema__names_every_option_with_its_default(name):
    schema, found = measure_schema(name), MEASURES[name]
    own = {"level", "method"} if found.hands_on else set()
    assert set(schema["properties"]) == set(found.options) | own
    for option, default in found.options.items():
        if default == "required":
            assert option in schema["required"]
        else:
            assert schema["properties"][option]["default"] == default
            assert len(schema["properties"][option]) > 1, option
    assert schema["x-reference"] == found.reference


@pytest.mark.parametrize("name", SCENARIO_SETS)
def test_generator_schema__names_every_parameter_and_the_options_of_its_rules(name):
    schema = generator_schema(name)
    plain = [
        each
        for each, parameter in inspect.signature(SCENARIO_SETS[name]).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    assert set(plain) <= {*schema["properties"], *schema["x-of"]}
    assert not set(schema["properties"]) & set(schema["x-of"])
    if name in ("historical", "filtered_historical", "volatility_scaled", "monte_carlo", "episodes"):
        assert {"proxies", "returns", "on_missing"} <= set(schema["properties"])


def test_schemas__are_plain_json_of_the_draft():
    made = [instrument_schema(name) for name in INSTRUMENTS]
    made += [measure_schema(name) for name in MEASURES] + [generator_schema(name) for name in SCENARIO_SETS]
    for schema in made:
        assert json.loads(json.dumps(schema, allow_nan=False)) == schema
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("schema", [instrument_schema, measure_schema, generator_schema])
def test_schema__of_what_is_not_registered_lists_what_is(schema):
    with pytest.raises(UnknownName, match=r"unknown .* 'nothing'"):
        schema("nothing")
