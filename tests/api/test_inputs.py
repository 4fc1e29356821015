import io
import json
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskgrid.access import Door
from riskgrid.api.media import ARROW
from riskgrid.api.service import Sizes
from riskgrid.inputs import kept
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.scenarios import file
from riskgrid.scenarios import set as scenario_set
from riskgrid.scenarios.ladder import ladder
from riskgrid.scenarios.stress import stress
from riskgrid.wire import from_arrow
from tests.api import served
from tests.run import made

API = "/api/v1"
ZIP = {"Content-Type": "application/zip"}
ROW = {"trade_id": "T-1", "region": "EMEA", "desk": "Flow", "book": "Flow A", "trade_date": "2016-06-01"}
ROW |= {"underlying": "SPX", "currency": "USD"}


@pytest.fixture
def first(tmp_path):
    return served.filled(tmp_path / "store", 3)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return served.filled(tmp_path_factory.mktemp("shared"), 6)


def zipped(files):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


def of_folder(folder):
    return zipped({path.name: path.read_bytes() for path in folder.iterdir()})


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_portfolio__that_is_uploaded_is_the_one_that_was_written(first, tmp_path, form):
    book = made.portfolio(4, seed=5)
    book.write(tmp_path / "book", form)
    client = served.client(first.store, "ann")
    answer = client.put(f"{API}/portfolios/mine", content=of_folder(tmp_path / "book"), headers=ZIP)
    assert answer.status_code == 201
    told = client.get(f"{API}/portfolios/mine").json()
    assert told == answer.json()
    assert (told["trades"], told["instruments"]["equity"], told["principal"]) == (32, 4, "ann")
    assert kept("portfolio", "mine", store=first.store).digest == book.digest
    again = client.put(f"{API}/portfolios/mine", content=of_folder(tmp_path / "book"), headers=ZIP)
    assert again.status_code == 200
    taken = served.client(first.store, "reader").put(f"{API}/portfolios/mine", content=b"", headers=ZIP)
    assert taken.status_code == 403


def test_portfolio__of_json_rows_lists_every_bad_cell(first):
    client = served.client(first.store, "ann")
    rows = {"equity": [ROW, {**ROW, "trade_id": "T-2", "underlying": ""}, {**ROW, "trade_id": "T-3", "quantity": "x"}]}
    answer = client.put(f"{API}/portfolios/rows", json=rows)
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 2
    assert any("column 'quantity': 'x' is no number" in each for each in answer.json()["errors"])
    answer = client.put(f"{API}/portfolios/rows", json=rows, params={"on_bad": "keep"})
    assert (answer.status_code, answer.json()["trades"], len(answer.json()["rejected"])) == (201, 1, 2)


def test_portfolio__of_json_rows_has_no_cell_that_is_no_number_or_none(first):
    client = served.client(first.store, "ann")
    for cell in ("NaN", '"nan"', "1" + "0" * 400, "1e400"):
        body = json.dumps({"equity": [ROW, {**ROW, "trade_id": "T-2", "quantity": 0}]}).replace(": 0", f": {cell}")
        answer = client.put(f"{API}/portfolios/rows", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, answer.text
        assert "table 'equity', line 3, column 'quantity': '" in answer.json()["detail"]


def test_portfolio__of_too_many_columns_is_refused_in_any_form(first, tmp_path):
    client, names = served.client(first.store), [f"label {at}" for at in range(1_001)]
    pq.write_table(pa.table({name: ["x"] for name in names}), tmp_path / "equity.parquet")
    for content, headers, status in (
        (zipped({"equity.csv": ",".join(names) + "\nx"}), ZIP, 413),
        (zipped({"equity.parquet": (tmp_path / "equity.parquet").read_bytes()}), ZIP, 413),
        (json.dumps({"equity": [{name: "x"} for name in names]}).encode(), {"Content-Type": "application/json"}, 422),
    ):
        answer = client.put(f"{API}/portfolios/p", content=content, headers=headers)
        assert (answer.status_code, "has 1,001 columns" in answer.json()["detail"]) == (status, True), answer.text


def test_portfolio__outside_ones_books_is_refused_and_inside_them_ones_own(first):
    flow, macro = served.client(first.store, "flow"), served.client(first.store, "macro")
    answer = flow.put(f"{API}/portfolios/mine", json={"equity": [{**ROW, "desk": "Macro"}]})
    assert (answer.status_code, "your books are desk Flow" in answer.json()["detail"]) == (403, True)
    assert flow.put(f"{API}/portfolios/mine", json={"equity": [ROW]}).status_code == 201
    assert [item["name"] for item in flow.get(f"{API}/portfolios").json()["items"]] == ["book", "mine"]
    assert [item["name"] for item in macro.get(f"{API}/portfolios").json()["items"]] == ["book"]
    hidden, unknown = (macro.get(f"{API}/portfolios/{name}") for name in ("mine", "none"))
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.json()["detail"].replace("mine", "none") == unknown.json()["detail"]


def test_name__of_another_is_taken(first):
    assert served.client(first.store, "ann").put(f"{API}/portfolios/p", json={"equity": [ROW]}).status_code == 201
    answer = served.client(first.store, "bob").put(f"{API}/portfolios/p", json={"equity": [ROW]})
    assert (answer.status_code, "was given by 'ann'" in answer.json()["detail"]) == (409, True)


def test_terms__are_those_of_ones_own_books_page_by_page_and_noted(first):
    client = served.client(first.store, "flow")
    whole = Door(first.store).inputs.load("portfolio", "book", served.WHO["flow"]).to_pandas("fx_option")
    assert set(whole["desk"]) == {"Flow"}
    found, cursor = [], "0"
    while cursor:
        asked = {"instrument": "fx_option", "limit": 1, "cursor": cursor}
        page = client.get(f"{API}/portfolios/book/trades", params=asked).json()
        found += page["variables"]["trade_id"]["values"]
        cursor = page["attrs"]["next"]
    assert found == whole["trade_id"].tolist()
    lines = first.store.journal.audit(subject="book", principal="flow")
    assert [(line.verb, line.detail["instrument"]) for line in lines] == [("read", "fx_option")] * len(found)
    assert client.get(f"{API}/portfolios/book/trades", params={"instrument": "no"}).status_code == 422


def test_terms__come_as_arrow_to_the_last_bit(shared):
    answer = served.client(shared.store).get(
        f"{API}/portfolios/book/trades", params={"instrument": "equity_option"}, headers={"Accept": ARROW}
    )
    found = from_arrow(pa.ipc.open_stream(answer.content).read_all())
    wanted = shared.portfolio.columns("equity_option")
    np.testing.assert_array_equal(found["strike"].values, wanted["strike"].ravel())
    assert found["expiry"].values.dtype.kind == "M"


def test_market__that_is_uploaded_is_the_one_that_was_written(first, tmp_path):
    market = made.market({"equity:SPX": 2222.0})
    market.write(tmp_path / "market")
    client = served.client(first.store, "ann")
    answer = client.put(f"{API}/markets/mine", content=of_folder(tmp_path / "market"), headers=ZIP)
    assert answer.status_code == 201
    assert client.get(f"{API}/markets/mine").json()["kinds"]["fx"] == 2
    found = kept("market", "mine", store=first.store)
    assert isinstance(found, MarketSnapshot)
    assert found.key == market.key


def test_scenarios__as_a_file_as_shocks_and_by_a_generator_are_the_librarys(first, tmp_path):
    client = served.client(first.store, "ann")
    days = made.scenarios(count=4, seed=11)
    file.write(days, tmp_path / "days.parquet")
    parquet = {"Content-Type": "application/vnd.apache.parquet"}
    content = (tmp_path / "days.parquet").read_bytes()
    shocks = {"crash": {"equity:*": "-20%"}, "up": [{"fx:EUR": "+1%"}]}
    bumps = {"market": "today", "generator": "ladder", "options": {"patterns": ["equity:*"], "kind": "up"}}
    put = lambda name, **body: client.put(f"{API}/scenario-sets/{name}", **body)  # noqa: E731
    assert put("days-2", content=content, headers=parquet).status_code == 201
    assert put("crash", json={"market": "today", "stress": shocks}).json()["scenarios"] == 2
    assert put("bumps", json=bumps).json()["kind"] == "ladder"
    wanted = {
        "days-2": days,
        "crash": stress(shocks, made.market()),
        "bumps": ladder(made.market(), patterns=["equity:*"], kind="up"),
    }
    for name, given in wanted.items():
        assert scenario_set.digest(kept("scenarios", name, store=first.store)) == scenario_set.digest(given), name
    names = [item["name"] for item in client.get(f"{API}/scenario-sets").json()["items"]]
    assert names == ["bumps", "crash", "days", "days-2"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"market": "today", "generator": "stress", "options": {"shocks": "/etc/passwd.yaml"}}, "shocks by name are"),
        ({"market": "today", "generator": "ladr"}, "unknown scenario set 'ladr'; did you mean 'ladder'?"),
        ({"market": "today", "generator": "ladder", "options": {"kin": 1}}, "has no option 'kin'"),
        ({"market": "today", "generator": "historical"}, "needs the key 'history'"),
        ({"market": "today", "generator": "historical", "history": "/etc"}, "history is '/etc'; 'sample'"),
        (
            {
                "market": "today",
                "generator": "monte_carlo",
                "history": "sample",
                "options": {"count": 10**9, "seed": 1},
            },
            "would have up to 1,000,000,000 scenarios",
        ),
        ({"market": "nope", "stress": {"a": {"fx:EUR": "+1%"}}}, "unknown named market 'nope'"),
        ({"market": "today", "stress": {"a": {"fx:XXX": "+1%", "fx:EUR": "loud"}}}, "loud"),
        ({"market": "today", "stress": {}}, "stress"),
        ({"file": "/etc/passwd"}, "file"),
    ],
)
def test_scenarios__that_cannot_be_made_are_refused_in_a_sentence(shared, body, sentence):
    answer = served.client(shared.store).put(f"{API}/scenario-sets/s", json=body)
    assert answer.status_code == 422
    assert sentence in json.dumps(answer.json(), ensure_ascii=False).replace('\\"', '"')


def parquet_of(columns):
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


ATTACKS = {
    "no archive": (b"PK", 422, "no ZIP archive"),
    "empty archive": (zipped({}), 422, "no CSV or Parquet file"),
    "path": (zipped({"../equity.csv": "x"}), 422, "'../equity.csv'"),
    "absolute path": (zipped({"/tmp/equity.csv": "x"}), 422, "without any folder"),
    "folder": (zipped({"a/equity.csv": "x"}), 422, "without any folder"),
    "drive": (zipped({"C:equity.csv": "x"}), 422, "without any folder"),
    "other file": (zipped({"equity.py": "x"}), 422, "NAME.csv"),
    "unknown instrument": (zipped({"equty.csv": "trade_id\nx\n"}), 422, "did you mean 'equity'?"),
    "no text": (zipped({"equity.csv": b"\xff\xfe\x00"}), 422, "no text in UTF-8"),
    "no parquet": (zipped({"equity.parquet": b"PAR1"}), 422, "equity.parquet is not a Parquet file"),
    "bomb": (zipped({"equity.csv": b"0" * 2_000_000}), 413, "more than 1,000,000 bytes"),
    "many files": (zipped({f"equity-{at}.csv": "x" for at in range(101)}), 413, "101 files"),
    "many rows": (zipped({"equity.csv": "\n" * 20_000}), 413, "19,999 rows; at most 10,000"),
    "text bomb": (
        zipped({"equity.parquet": parquet_of({"trade_id": pa.array(["x" * 5_000] * 9_000).dictionary_encode()})}),
        413,
        "unfolds to 45,000,000 bytes",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_archive__that_is_none_or_unfolds_beyond_the_limit_is_refused(shared, attack):
    content, status, sentence = ATTACKS[attack]
    client = served.client(shared.store, sizes=Sizes(body=1_000_000, rows=10_000))
    answer = client.put(f"{API}/portfolios/p", content=content, headers=ZIP)
    assert (answer.status_code, sentence in answer.json()["detail"]) == (status, True), answer.json()
    assert "/tmp/riskgrid" not in answer.text
    assert "p" not in [item["name"] for item in client.get(f"{API}/portfolios").json()["items"]]


MARKETS = {
    "laughs": ("date: 2016-07-01\na: &a [x]\nb: [*a, *a]\n", "refers to itself by '*a'"),
    "deep": ("[" * 100 + "]" * 100, "nested more than 32 deep"),
    "no yaml": ("a: [", "is not YAML"),
    "object": ("!!python/object/apply:os.system [ls]", "not YAML"),
    "no mapping": ("- a", "holds no mapping"),
    "no date": ("numeraire: USD", "key 'date'"),
}


@pytest.mark.parametrize("attack", MARKETS)
def test_market__whose_file_is_no_plain_mapping_is_refused(shared, attack):
    content, sentence = MARKETS[attack]
    client = served.client(shared.store)
    answer = client.put(f"{API}/markets/m", content=zipped({"conventions.yaml": content}), headers=ZIP)
    assert (answer.status_code, sentence in answer.json()["detail"]) == (422, True), answer.json()
    assert "/tmp" not in answer.text


@pytest.mark.parametrize(
    ("content", "media", "status", "sentence"),
    [
        ("[" * 100_000, "application/json", 413, "nested 100,000 deep; 32 is right at most"),
        ('{"equity": 1}', "application/json", 422, "equity"),
        ('{"equity": [{"trade_id": {"a": 1}}]}', "application/json", 422, "equity.0.trade_id"),
        ("", "application/json", 400, "the body is no JSON"),
        ('{"equity": [], "equity": [1]}', "application/json", 422, "the body has the member 'equity' twice"),
        ("x", "text/plain", 415, "Content-Type is 'text/plain'"),
        ("x", "", 415, "Content-Type is ''"),
        ('{"equity": [' + "0," * 600_000 + "0]}", "application/json", 413, "1,000,000 are right at most"),
    ],
)
def test_body__of_the_wrong_kind_is_refused(shared, content, media, status, sentence):
    client = served.client(shared.store, sizes=Sizes(body=1_000_000))
    headers = {"Content-Type": media} if media else {}
    answer = client.put(f"{API}/portfolios/p", content=content.encode(), headers=headers)
    assert (answer.status_code, sentence in answer.json()["detail"]) == (status, True), answer.json()


@pytest.mark.parametrize("name", ["..", "a%2Fb", "%20", "x" * 101, "http:%2F%2Fx", "a%0Ab"])
def test_name__that_is_a_path_or_an_address_is_refused(shared, name):
    answer = served.client(shared.store).put(f"{API}/portfolios/{name}", json={"equity": [ROW]})
    assert answer.status_code in (404, 405, 422)


def test_scenario_file__that_another_wrote_is_refused(shared):
    client = served.client(shared.store)
    headers = {"Content-Type": "application/vnd.apache.parquet"}
    for meta in (None, {"riskgrid": "{}"}, {"riskgrid": "no"}, {"riskgrid": '{"factor": {"factor": 3}, "coords": 1}'}):
        sink = io.BytesIO()
        pq.write_table(pa.table({"scenario": ["a"]}).replace_schema_metadata(meta), sink)
        answer = client.put(f"{API}/scenario-sets/s", content=sink.getvalue(), headers=headers)
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith("scenarios.parquet is not a scenario set")


def test_audit__is_for_an_admin_page_by_page(first):
    ann, admin = served.client(first.store, "ann"), served.client(first.store)
    for at in range(3):
        ann.put(f"{API}/portfolios/p{at}", json={"equity": [ROW]})
    assert ann.get(f"{API}/audit").status_code == 403
    page = admin.get(f"{API}/audit", params={"principal": "ann", "limit": 2}).json()
    rest = admin.get(f"{API}/audit", params={"principal": "ann", "limit": 2, "cursor": page["next"]}).json()
    lines = page["items"] + rest["items"]
    assert [(line["verb"], line["subject"]) for line in lines] == [("name", f"p{at}") for at in (2, 1, 0)]
    assert lines[0]["detail"] == {"kind": "portfolio"}
    assert rest["next"] is None
    assert len(admin.get(f"{API}/audit", params={"subject": "p1"}).json()["items"]) == 1
