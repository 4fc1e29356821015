from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from riskgrid.dashboards.state import State

TEXTS = st.text(max_size=20)
LABELS = st.text(st.characters(exclude_characters=":"), min_size=1, max_size=8)


@given(
    st.builds(
        State,
        page=TEXTS.filter(bool),
        run=TEXTS,
        where=st.dictionaries(LABELS, TEXTS, max_size=3).map(lambda pairs: tuple(pairs.items())),
        by=TEXTS,
        scenario=TEXTS,
        trade=TEXTS,
        start=st.integers(0, 10**6),
        beside=st.lists(TEXTS.filter(bool), max_size=3).map(tuple),
    )
)
def test_address__reopens_the_same_view(state: State) -> None:
    assert State.of(state.query) == state


def test_address__leaves_out_what_nobody_knows() -> None:
    assert State.of("?page=runs&nonsense=1&where=desk&where=:x&start=-4") == State(page="runs")


def test_address__keeps_the_first_value_of_a_label() -> None:
    assert State.of("?where=desk:Rates&where=desk:FX").where == (("desk", "Rates"),)


def test_step_down__narrows_and_step_up_widens() -> None:
    firm = State(page="drill-down", by="desk", start=50, sort="-pnl")
    rates = firm.within("desk", "Rates", by="book")
    assert (rates.where, rates.by, rates.start, rates.sort) == ((("desk", "Rates"),), "book", 0, "")
    assert rates.narrowed == {"desk": "Rates"}
    assert rates.up.where == ()
    assert firm.up == firm
    assert rates.but(trade="T-1").up == rates


def test_address__of_any_length_is_read_in_a_moment() -> None:
    state = State.of("?" + "&".join(f"where=a{at}:" for at in range(200_000)) + "&beside=x" * 100_000)
    assert len(state.where) == 12
    assert len(state.beside) == 0  # beyond what is read of an address
