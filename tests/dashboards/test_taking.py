from __future__ import annotations

import base64
import io

import pandas as pd
import pytest
import xarray as xr

from riskgrid.dashboards import taking
from riskgrid.dashboards.card import Card, Word
from riskgrid.dashboards.taking import taken
from riskgrid.errors import BadSpec

NUMBERS = xr.Dataset({"pnl": ("desk", [1.23456789012345, -2.0])}, {"desk": ["=1+1", "FX"]})
CARD = Card("Who: VaR by desk", Word(""), data=lambda: NUMBERS)


def test_copy__has_every_digit_and_no_formula() -> None:
    assert taken(CARD, "tsv")["copy"].splitlines() == ["desk\tpnl", "'=1+1\t1.23456789012345", "FX\t-2.0"]


def test_file__is_called_as_the_card_and_reads_back() -> None:
    csv, parquet = (taken(CARD, form)["save"] for form in ("csv", "parquet"))
    assert (csv["name"], parquet["name"]) == ("who-var-by-desk.csv", "who-var-by-desk.parquet")
    read = pd.read_csv(io.BytesIO(base64.b64decode(csv["base64"])))
    assert read["pnl"].tolist() == [1.23456789012345, -2.0]
    table = pd.read_parquet(io.BytesIO(base64.b64decode(parquet["base64"])))
    assert table["pnl"].tolist() == [1.23456789012345, -2.0]


@pytest.mark.parametrize("card", [None, Card("Facts", Word(""))])
def test_nothing__is_refused_in_a_sentence(card: Card | None) -> None:
    with pytest.raises(BadSpec, match="no numbers"):
        taken(card, "csv")


def test_too_much__is_refused_with_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "_MOST", 10)
    with pytest.raises(BadSpec, match="bytes"):
        taken(CARD, "csv")
