import functools
import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from riskgrid import code
from riskgrid.errors import UnknownName
from riskgrid.registry import (
    INSTRUMENTS,
    MEASURES,
    SCENARIO_SETS,
    Registry,
    instrument,
    measure,
    measures_page,
    scenario_set,
)
from riskgrid.terms import Currency, Date, Float


@dataclass(frozen=True)
class Terms:
    currency: Currency
    rate: Float
    maturity: Date


EXAMPLE = Terms("USD", 0.1, "2030-01-01")

#: A file of a user's own, as a notebook would hold it.
NOTEBOOK = """
import math
import functools
from dataclasses import dataclass

import numpy as np
from numpy import sqrt
from riskgrid.formulas import exp
from riskgrid.terms import Currency

RATE = {rate}
CURVE = np.array([1.0, {node}])
TABLE = {table}


@dataclass(frozen=True)
class Note:
    currency: Currency


def discount(time):
    return exp(-RATE * time) + TABLE["shift"]


def price(terms, market):
    inner = lambda time: discount(time) + CURVE[1] + math.pi + sqrt(2.0)
    return inner(2.0) + np.exp(1.0)


def uses_a_class(terms, market):
    return Note


def calls_itself(terms, market):
    return calls_itself


def uses_a_partial(terms, market):
    return PARTIAL


def made(bump):
    def closed(terms, market):
        return bump

    return closed


PARTIAL = functools.partial(discount, {rate})
"""


@pytest.fixture
def registered():
    yield
    for name in ("note", "probe"):
        INSTRUMENTS.remove(name)
        SCENARIO_SETS.remove(name)
        MEASURES.remove(name)


@pytest.fixture
def notebook(tmp_path, registered):
    """The code digest of a function of the file, with other values in it."""
    count = iter(range(100))

    def code(function="price", rate=0.03, node=2.0, table="{'shift': 0.0}", text=NOTEBOOK, call=()):
        place = tmp_path / f"notebook{next(count)}.py"
        place.write_text(text.format(rate=rate, node=node, table=table))
        spec = importlib.util.spec_from_file_location("notebook", place)
        module = importlib.util.module_from_spec(spec)
        sys.modules["notebook"] = module
        try:
            spec.loader.exec_module(module)
            found = getattr(module, function)
            instrument("note", value_in="currency", example=module.Note("USD"))(found(*call) if call else found)
            return INSTRUMENTS["note"].code
        finally:
            del sys.modules["notebook"]

    return code


def test_code__of_a_pricer_is_the_same_in_every_session(notebook):
    assert notebook() is not None
    assert notebook() == notebook()


@pytest.mark.parametrize(
    "changed",
    [
        {"rate": 0.04},
        {"node": 2.5},
        {"table": "{'shift': 0.1}"},
        {"text": NOTEBOOK.replace("-RATE * time", "-RATE * time * 1.0")},
        {"text": NOTEBOOK.replace("    currency: Currency", "    currency: Currency  # settled")},
    ],
)
def test_code__of_a_pricer_counts_what_it_and_its_functions_read(notebook, changed):
    assert notebook(**changed) not in (None, notebook())


def test_code__of_a_pricer_counts_its_closure(notebook):
    assert notebook("made", call=(1.0,)) == notebook("made", call=(1.0,))
    assert notebook("made", call=(1.0,)) != notebook("made", call=(2.0,))


def test_code__of_a_pricer_may_call_itself_but_reads_no_class(notebook):
    assert notebook("uses_a_class") is None  # its state may be anywhere
    assert notebook("calls_itself") is not None


@pytest.mark.parametrize("changed", [{"table": "{'shift': 0.0, 'object': object()}"}, {"function": "uses_a_partial"}])
def test_code__is_unknown_where_a_value_has_no_canonical_bytes(notebook, changed):
    assert notebook(**changed) is None


def test_code__is_unknown_without_a_source(registered):
    space = {"Terms": Terms}
    exec("def price(terms, market): return 1.0", space)
    instrument("note", value_in="currency", example=EXAMPLE)(space["price"])
    assert INSTRUMENTS["note"].code is None


def test_code__can_be_named_by_a_version(registered):
    def register(version):
        instrument("note", value_in="currency", example=EXAMPLE, version=version)(lambda terms, market: 1.0)
        return INSTRUMENTS["note"].code

    assert register("1") == register("1")
    assert register("1") != register("2")


def test_code__of_our_own_instruments_is_their_file():
    codes = {name: INSTRUMENTS[name].code for name in INSTRUMENTS if name != "note"}
    assert None not in codes.values()
    assert len(set(codes.values())) == len(codes)


def test_instrument__keeps_what_it_was_registered_with(registered):
    @instrument("note", value_in="currency", ends="maturity", size=("rate",), example=EXAMPLE, eager=True)
    def price(terms, market):
        """One sentence.

        And more.
        """
        return terms.rate

    found = INSTRUMENTS["note"]
    assert (found.terms, found.ends, found.size, found.eager) == (Terms, "maturity", ("rate",), True)
    assert [column.name for column in found.columns] == ["currency", "rate", "maturity"]
    assert (found.family("currency"), found.family("rate")) == ("currency", "")
    assert found.summary == "One sentence."
    assert found.price is price


def test_instrument__without_a_docstring_has_no_summary(registered):
    instrument("note", value_in="currency", example=EXAMPLE)(lambda terms, market: 1.0)
    assert INSTRUMENTS["note"].summary == ""


@pytest.mark.parametrize("wrong", [{"value_in": "money"}, {"ends": "expiry"}, {"size": ("rate", "lots")}])
def test_instrument__refuses_a_term_that_it_does_not_have(wrong):
    with pytest.raises(UnknownName, match=r"unknown term of instrument 'note' .*known: 'currency', 'maturity', 'rate'"):
        instrument("note", **{"value_in": "currency", "example": EXAMPLE, **wrong})(lambda terms, market: 1.0)


@pytest.mark.parametrize("known", [INSTRUMENTS, SCENARIO_SETS, MEASURES])
def test_registry__refuses_an_unknown_name_and_lists_the_known_ones(known):
    with pytest.raises(UnknownName, match=f"unknown {known.kind} 'nothing'") as error:
        known["nothing"]
    assert error.value.known == list(known)
    assert "nothing" not in known
    assert len(known) == len(list(known)) > 0


def test_registry__takes_scenario_sets_and_measures(registered):
    make = scenario_set("probe")(lambda market: None)
    function = measure("probe")(lambda pnl: pnl)
    assert SCENARIO_SETS["probe"] is make
    assert MEASURES["probe"].function is function


def test_registry__keeps_what_a_user_registered_before_the_first_look_up(monkeypatch):
    own = object()
    fresh = Registry("instrument", "riskgrid.instruments")
    fresh.add("equity", own)
    assert fresh["equity"] is own
    fresh.remove("equity")
    fresh.remove("never there")
    assert "equity" not in fresh


def test_registry__imports_its_files_at_the_first_look_up_only():
    program = (
        "import sys; from riskgrid.registry import INSTRUMENTS; before = 'riskgrid.instruments.equity' in sys.modules;"
        "sorted(INSTRUMENTS); print(before, 'riskgrid.instruments.equity' in sys.modules)"
    )
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert made.stdout.split() == ["False", "True"]


@pytest.mark.parametrize("library", [np, np.exp, np.where, functools.wraps, len])
def test_library__is_what_a_version_tells(library):
    assert code._is_library(library)


@pytest.mark.parametrize("own", [functools.partial(len), np.poly1d([1.0]), [].append, pytest, 1.0, Terms])
def test_library__is_no_object_that_may_hold_a_users_values(own):
    assert not code._is_library(own)


def test_measure__tells_its_options_inputs_and_source():
    found = MEASURES["value_at_risk"]
    assert found.inputs == ("pnl", "weight")
    assert found.options == {"level": 0.99, "method": "inverted_cdf"}
    assert found.source.startswith("Hyndman and Fan (1996)")
    assert found.summary.startswith("Minus the (1 - level)-quantile of P&L")


@pytest.mark.parametrize("name", [*MEASURES])
def test_measure__that_is_shipped_says_what_it_is_checked_against_and_how_closely(name):
    found = MEASURES[name]
    assert found.reference, name
    assert found.error is not None, name
    assert found.summary, name


def test_measures_page__is_the_committed_one():
    page = Path(__file__).parents[1] / "docs" / "measures.md"
    assert page.read_text(encoding="utf-8") == measures_page(), "riskgrid measures --markdown > docs/measures.md"


def test_registry__that_is_first_asked_by_several_threads_knows_every_entry_in_each():
    """In a process of its own, as a worker is when its first tasks arrive: nothing is loaded yet."""
    program = """if True:
        import threading
        from riskgrid.registry import INSTRUMENTS
        names = ["commodity_option", "interest_rate_swap", "equity_option", "fx_forward"]
        gate, found = threading.Barrier(4), []
        def look(name):
            gate.wait()
            found.append(INSTRUMENTS[name].name)
        threads = [threading.Thread(target=look, args=(name,)) for name in names]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert sorted(found) == sorted(names), found
    """
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=120)
