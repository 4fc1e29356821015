import copy
import pickle
from datetime import date

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from riskgrid.errors import BadMarket
from riskgrid.hashing import digest
from riskgrid.market.configuration import Frozen, bad_market, check_conventions, read_yaml, write_yaml
from riskgrid.market.curves import EXTRAPOLATIONS, INTERPOLATIONS

TEXT = """
curves:
  USD-TREASURY: {quotes: par, interpolation: linear_zero, payments_per_year: 2, simple_up_to: 6M}
  EUR-POLICY: {quotes: zero}
discount: {USD: USD-TREASURY, EUR: EUR-POLICY}
indices: {USD-3M: {currency: USD, curve: USD-TREASURY, tenor: 3M, day_count: ACT/360, fixing_lag: 2, calendar: US}}
surfaces: {default: {sticky: sticky_moneyness}}
calendars: {US: [2016-07-04, 2016-01-01]}
"""


def changed(path, value):
    raw = yaml.safe_load(TEXT)
    *parents, last = path.split(".")
    place = raw
    for parent in parents:
        place = place[parent]
    place[last] = value
    return raw


def test_check_conventions__writes_defaults_out_and_sorts():
    made = check_conventions(yaml.safe_load(TEXT))
    assert made["curves"]["EUR-POLICY"].plain() == {
        "quotes": "zero",
        "interpolation": "linear_zero",
        "extrapolation": "flat_zero",
    }
    assert list(made["curves"]) == ["EUR-POLICY", "USD-TREASURY"]
    assert made["calendars"]["US"] == (date(2016, 1, 1), date(2016, 7, 4))


def test_check_conventions__of_nothing_has_every_section():
    empty = check_conventions({}).plain()
    assert empty.pop("surfaces") == {"default": {"sticky": "sticky_moneyness"}}
    assert empty == {"curves": {}, "discount": {}, "indices": {}, "calendars": {}}


def test_check_conventions__leaves_the_canonical_form_alone():
    made = check_conventions(yaml.safe_load(TEXT))
    assert check_conventions(made) == made
    assert digest(check_conventions(made.plain())) == digest(made)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("curve", {}, "key 'curve' is unknown; known: curves, discount, indices, surfaces, calendars"),
        ("curves.EUR-POLICY.scheme", 1, "key 'curves.EUR-POLICY.scheme' is unknown; known: quotes, interpolation"),
        ("curves.EUR-POLICY.payments_per_year", 2, "key 'curves.EUR-POLICY.payments_per_year' is unknown"),
        ("curves.EUR-POLICY.interpolation", "cubic", "'cubic'; an interpolation is right: linear_zero, log_linear"),
        ("curves.EUR-POLICY.extrapolation", "flat", "'flat'; an extrapolation is right: flat_forward, flat_zero"),
        ("curves.USD-TREASURY.quotes", "yield", "is 'yield'; what is quoted is right: par, zero"),
        ("curves.USD-TREASURY.payments_per_year", 2.0, "is 2.0; a number of payments is right: 1, 2"),
        ("curves.USD-TREASURY.simple_up_to", "half", "key 'curves.USD-TREASURY.simple_up_to' is 'half'; a tenor such"),
        ("curves.EUR-POLICY", "flat", "key 'curves.EUR-POLICY' holds 'flat'; a mapping with quotes, interpolation"),
        ("curves.EUR-POLICY", {}, "key 'curves.EUR-POLICY.quotes' is missing; what is quoted is right: par, zero"),
        ("discount.EUR", "EUR-ESTR", "key 'discount.EUR' is 'EUR-ESTR'; a curve that is defined is right: USD-TRE"),
        ("discount", ["EUR"], "key 'discount' holds"),
        ("indices.USD-3M.curve", "USD-SOFR", "key 'indices.USD-3M.curve' is 'USD-SOFR'; a curve that is defined"),
        ("indices.USD-3M.day_count", "ACT/361", "key 'indices.USD-3M.day_count' is 'ACT/361'; a day count is right"),
        ("indices.USD-3M.calendar", "UK", "is 'UK'; a calendar that is defined is right: US, weekends"),
        ("indices.USD-3M.fixing_lag", -1, "key 'indices.USD-3M.fixing_lag' is -1; a whole number"),
        ("indices.USD-3M.currency", "", "key 'indices.USD-3M.currency' is ''; a name is right"),
        ("surfaces.default.sticky", "sticky_local", "is 'sticky_local'; a sticky rule is right: sticky_moneyness"),
        ("calendars.US", ["new year"], "key 'calendars.US' holds 'new year'; a list of dates"),
        ("calendars.weekends", [], "key 'calendars.weekends' cannot be redefined"),
    ],
)
def test_check_conventions__names_place_and_key(path, value, sentence):
    with pytest.raises(BadMarket) as caught:
        check_conventions(changed(path, value), "market/conventions.yaml")
    assert str(caught.value).startswith("market/conventions.yaml: ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_check_conventions__lists_all_problems_in_one_error():
    raw = {"curve": {}, "discount": {"EUR": "EUR"}, "surfaces": {"SPX": {"sticky": "no"}}}
    with pytest.raises(BadMarket, match=r"conventions: 3 problems:\n.*'curve' is unknown.*\n.*SPX.*\n.*discount.EUR"):
        check_conventions(raw)


def test_bad_market__says_how_many_it_does_not_show():
    with pytest.raises(BadMarket, match="60 problems:") as caught:
        bad_market("x.yaml", [f"problem {number}" for number in range(60)])
    assert str(caught.value).endswith("\n  and 10 more")


NAMES = st.from_regex(r"[A-Z]{3}(-[A-Z0-9]{1,4})?", fullmatch=True)


@st.composite
def conventions(draw):
    curve = st.fixed_dictionaries(
        {"quotes": st.just("zero")},
        optional={"interpolation": st.sampled_from(INTERPOLATIONS), "extrapolation": st.sampled_from(EXTRAPOLATIONS)},
    )
    curves = draw(st.dictionaries(NAMES, curve, min_size=1, max_size=3))
    named = st.sampled_from(sorted(curves))
    days = st.lists(st.dates(date(1990, 1, 1), date(2060, 1, 1)), max_size=4)
    calendars = draw(st.dictionaries(NAMES, days, max_size=2))
    return {"curves": curves, "discount": draw(st.dictionaries(NAMES, named, max_size=3)), "calendars": calendars}


@given(conventions())
def test_write_yaml__is_read_back_as_the_same_conventions(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("market") / "conventions.yaml"
    made = check_conventions(raw)
    write_yaml(path, made)
    again = check_conventions(read_yaml(path), str(path))
    assert again == made
    assert digest(again) == digest(made)


def test_read_yaml__says_what_is_wrong_with_a_file(tmp_path):
    path = tmp_path / "conventions.yaml"
    with pytest.raises(BadMarket, match=r"no file conventions\.yaml in"):
        read_yaml(path)
    path.write_text("- a\n- b\n")
    with pytest.raises(BadMarket, match="holds no mapping"):
        read_yaml(path)
    path.write_text("curves: {a: [}\n")
    with pytest.raises(BadMarket, match=r"conventions\.yaml: not YAML: .*line 1"):
        read_yaml(path)


def test_read_yaml__runs_no_code(tmp_path):
    path = tmp_path / "conventions.yaml"
    path.write_text("curves: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(BadMarket, match="not YAML"):
        read_yaml(path)


def test_frozen__cannot_change_and_travels():
    made = check_conventions(yaml.safe_load(TEXT))
    with pytest.raises(TypeError, match="does not support item assignment"):
        made["curves"]["EUR-POLICY"]["quotes"] = "par"
    assert pickle.loads(pickle.dumps(made)) == made == copy.deepcopy(made)
    assert hash(made) == hash(check_conventions(yaml.safe_load(TEXT)))
    assert repr(Frozen({"a": {"b": [1]}})) == "Frozen({'a': {'b': [1]}})"
