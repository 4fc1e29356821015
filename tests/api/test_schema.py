"""The interface does what its OpenAPI document says, whatever it is asked."""

import tempfile

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

import riskgrid as rg
from riskgrid.access import Door
from riskgrid.api.app import make_app
from riskgrid.api.rate import Rates
from riskgrid.api.service import Service
from riskgrid.identity.authenticate import authenticator
from riskgrid.identity.keys import KnownKeys, make_key
from riskgrid.store import Store
from tests.run import made

with tempfile.TemporaryDirectory() as folder:
    DOCUMENT = make_app(Service(Door(Store(folder)))).openapi()
OPERATIONS = [(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods]


#: What stands in a path; a name that nothing answers to is not all that is to be tried.
KNOWN = {"run_id": "", "trade_id": "equity-1", "scenario": "day 1", "factor": "SPX", "measure": "value_at_risk"}

#: What is shown by who asks, and what else might be: one key or token is right.
HEADERS, SHOWN = {}, ("authorization", "x-api-key")

#: A name in a body or query may be right by the schema, and of nothing: that is 422, with the names there are.
BUT = [positive_data_acceptance]


def test_document__says_what_every_parameter_means():
    silent = [
        (path, parameter["name"])
        for path, methods in DOCUMENT["paths"].items()
        for operation in methods.values()
        for parameter in operation.get("parameters", ())
        if not parameter.get("description")
    ]
    assert silent == []


@schemathesis.serializer("application/zip", "application/vnd.apache.parquet")
def as_bytes(ctx, value):
    """A body that says it is a file, and is none."""
    return value if isinstance(value, bytes) else repr(value).encode(errors="replace")


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    """Of a service over a store with one run and named inputs."""
    store = Store(tmp_path_factory.mktemp("schema"))
    book, market, scenarios = made.portfolio(3), made.market(), made.scenarios(count=4)
    for name, input_ in (("book", book), ("today", market), ("days", scenarios)):
        rg.keep(input_, name, store=store)
    made_run = rg.run(book, market, scenarios, store=store, progress=None)
    KNOWN["run_id"] = made_run.run_id
    text, _ = make_key(store.keys, "tester", None, scopes=("read", "run", "admin"), by="test")
    HEADERS["X-API-Key"] = text
    unbounded = {"rates": Rates(1e6, 1e6), "failures": Rates(1e6, 1e6)}
    service = Service(Door(store), authenticator(KnownKeys(store.keys)), **unbounded)
    return schemathesis.openapi.from_asgi("/openapi.json", make_app(service))


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=map(" ".join, OPERATIONS))
def test_interface__answers_as_it_is_documented(schema, method, path):
    @given(case=schema[path][method.upper()].as_strategy(), known=st.integers(0, 3))
    @settings(
        max_examples=15,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case, known):
        if known and case.path_parameters:
            case.path_parameters |= {name: KNOWN.get(name, value) for name, value in case.path_parameters.items()}
        case.headers = {name: value for name, value in (case.headers or {}).items() if name.lower() not in SHOWN}
        case.call_and_validate(excluded_checks=BUT, headers=HEADERS)

    check()
