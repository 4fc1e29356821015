import re

import numpy as np
import pytest
import xarray as xr

from riskgrid.errors import InputError, UnknownName
from riskgrid.schema import DICTIONARY, SPECS, Status, check, describe_schema, schema_page


def scenario_set(**changed):
    data = {"scale": (("scenario", "factor"), np.ones((2, 1))), "offset": (("scenario", "factor"), np.zeros((2, 1)))}
    coords = {"scenario": ["up", "down"], "factor": ["fx:EUR"]}
    return xr.Dataset({**data, **changed}, coords)


def test_check__returns_the_dataset_that_satisfies_its_spec():
    good = scenario_set(weight=("scenario", [0.5, 0.5]), stale=(("scenario", "factor"), np.zeros((2, 1), bool)))
    assert check(good, "scenario set") is good


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"scale": (("scenario", "factor"), np.ones((2, 1), int))}, "'scale' is int64, not float64"),
        ({"scale": ("factor", np.ones(1))}, "'scale' has dimensions (factor), not (scenario, factor)"),
        ({"offset": (("scenario", "factor"), np.full((2, 1), np.inf))}, "'offset' holds a number that is not finite"),
        ({"weight": ("scenario", [0.5, np.nan])}, "'weight' holds a number that is not finite"),
        ({"weight": ("scenario", [True, False])}, "'weight' is bool, not float64"),
        ({"stale": (("scenario", "factor"), np.zeros((2, 1)))}, "'stale' is float64, not flags"),
        ({"unshocked": ("scenario", [True, False])}, "'unshocked' has dimensions (scenario), not (factor)"),
    ],
)
def test_check__names_what_is_wrong(changed, sentence):
    with pytest.raises(InputError, match=re.escape(sentence)):
        check(scenario_set(**changed), "scenario set")


def test_check__lists_every_problem_at_once():
    wrong = scenario_set(scale=("factor", np.ones(1, int))).drop_vars("offset")
    with pytest.raises(InputError) as error:
        check(wrong, "scenario set")
    assert str(error.value) == (
        "not a scenario set: 'scale' is int64, not float64; 'scale' has dimensions (factor), not (scenario, factor); "
        "no 'offset'"
    )


def test_check__accepts_a_dimension_without_labels():
    assert check(scenario_set().drop_vars(["scenario", "factor"]), "scenario set")


def test_check__minds_the_type_of_a_dimensions_labels():
    with pytest.raises(InputError, match="'factor' is int64, not text"):
        check(scenario_set().assign_coords(factor=[1]), "scenario set")


def test_check__of_an_unknown_spec_lists_the_known_ones():
    with pytest.raises(UnknownName, match=r"unknown spec 'set'; .*'scenario set'"):
        check(xr.Dataset(), "set")


def test_describe_schema__has_a_sentence_for_every_name():
    rows = describe_schema()
    assert [row[0] for row in rows] == list(DICTIONARY)
    assert all(name and role and dims and sentence for name, role, dims, _, sentence in rows)


def test_schema_page__has_a_row_for_every_name_and_status():
    lines = schema_page().splitlines()
    assert [line.split("`")[1] for line in lines if line.startswith("| `")] == list(DICTIONARY)
    assert lines[-len(Status) :] == [f"| {one.value} | {one.name} | {one.sentence} |" for one in Status]


def test_specs__name_entries_of_the_dictionary_only():
    for spec in SPECS.values():
        assert {*spec.required, *spec.optional} <= set(DICTIONARY)


def test_status__each_has_a_sentence():
    assert len({status.sentence for status in Status}) == len(Status)
