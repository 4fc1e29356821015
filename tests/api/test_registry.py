"""What is registered, over HTTP, is what the registry says."""

import pytest

from riskgrid.describing import generator_schema, instrument_schema, measure_schema
from riskgrid.registry import INSTRUMENTS, MEASURES, SCENARIO_SETS

KINDS = {
    "instruments": (INSTRUMENTS, instrument_schema),
    "measures": (MEASURES, measure_schema),
    "scenario-generators": (SCENARIO_SETS, generator_schema),
}


@pytest.mark.parametrize("kind", KINDS)
def test_list__names_all_with_their_options(served, kind):
    entries, schema = KINDS[kind]
    found = {each["name"]: each for each in served.get(kind, "nobody").json()}
    assert list(found) == list(entries)
    for name, told in found.items():
        assert told["options"] == list(schema(name)["properties"])
        assert told["summary"]


@pytest.mark.parametrize("kind", KINDS)
def test_schema__is_that_of_the_library(served, kind):
    entries, schema = KINDS[kind]
    for name in entries:
        assert served.get(f"{kind}/{name}").json() == schema(name)


@pytest.mark.parametrize("kind", KINDS)
def test_schema__of_what_is_not_registered_is_not_found(served, kind):
    response = served.get(f"{kind}/nothing")
    assert response.status_code == 404
    assert "unknown" in response.json()["detail"]
