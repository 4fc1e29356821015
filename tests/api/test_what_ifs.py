import json
from urllib.parse import quote

import pytest

import riskgrid as rg
from riskgrid import wire
from riskgrid.result import open_run
from tests.api import served
from tests.run import made


@pytest.fixture
def first(tmp_path):
    return served.filled(tmp_path / "store")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return served.filled(tmp_path_factory.mktemp("shared"))


def address(run):
    return f"/api/v1/runs/{run.run_id}/what-ifs"


def of_desk(run, desk):
    table = run.trade_table()
    return [str(trade) for trade in table["trade_id"].values[table["desk"].values == desk]]


def test_what_if__that_is_waited_for_is_created_and_the_librarys(first):
    trade, other = of_desk(first, "Flow")[:2]
    changes = {"drop": [trade], "resize": {other: 5.0}, "shift": {"equity:*": "-5%"}}
    client = served.client(first.store, "ann")
    answer = client.post(address(first), json={"name": "w", "changes": changes}, headers={"Prefer": "wait=10"})
    assert answer.status_code == 201
    assert answer.headers["Preference-Applied"] == "wait=10"
    told = client.get(answer.headers["Location"]).json()
    assert (told["parent"], told["name"], told["principal"]) == (first.run_id, "w", "ann")
    assert f"on run {first.run_id}" in told["what_if"]
    assert made.same_bits(open_run(told["run_id"], store=first.store), rg.what_if(first, changes))
    assert [item["run_id"] for item in client.get(address(first)).json()["items"]] == [told["run_id"]]


def test_what_if__that_is_little_is_finished_where_it_is_asked_without_a_wait(first):
    answer = served.client(first.store).post(address(first), json={"changes": {"drop": of_desk(first, "Flow")[:1]}})
    assert answer.status_code == 201
    assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "in full"}])
def test_what_if__that_is_answered_in_full_is_that_of_the_library(first, key):
    changes = {"overlay": {"crash": {"equity:*": "-20%"}}}
    answer = served.client(first.store, "ann").post(address(first), json={"changes": changes}, headers=key)
    assert answer.status_code == 201, answer.text
    made_run = open_run(answer.json()["run_id"], store=first.store)
    assert made.same_bits(made_run, rg.what_if(first, changes))


def test_what_if__under_a_key_is_made_once(first):
    client = served.client(first.store, "ann")
    body = {"changes": {"drop": of_desk(first, "Flow")[:1]}}
    keyed = {"Idempotency-Key": "k", "Prefer": "wait=5"}
    one, two = (client.post(address(first), json=body, headers=keyed) for _ in range(2))
    assert one.json()["run_id"] == two.json()["run_id"]
    assert (one.status_code, two.status_code) == (201, 201)
    assert ("Idempotent-Replayed" in one.headers, two.headers["Idempotent-Replayed"]) == (False, "true")
    other = client.post(address(first), json={"changes": {"drop": of_desk(first, "Flow")[:2]}}, headers=keyed)
    assert other.status_code == 422


def test_what_if__beyond_the_room_of_the_process_is_queued(first):
    client = served.client(first.store, "ann")
    room = client.app.state.service.door.room
    while room.acquire(blocking=False):
        pass
    body = {"changes": {"drop": of_desk(first, "Flow")[:1]}}
    answer = client.post(address(first), json=body, headers={"Prefer": "wait=0"})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    with served.working(first.store):
        answer = client.post(address(first), json=body, headers={"Idempotency-Key": "k", "Prefer": "wait=30"})
    assert (answer.status_code, answer.json()["status"]) == (201, "complete")
    assert open_run(answer.json()["run_id"], store=first.store).row.parent == first.run_id


def test_what_if__that_is_wrong_tells_every_reason(shared):
    changes = {
        "drop": ["NONE-1", "NONE-2"],
        "amend": {of_desk(shared, "Flow")[0]: {"strik": 1.0}},
        "shift": {"equity:NOPE": "-5%", "fx:EUR": "loud"},
        "rehang": [{"where": {"bok": "x"}, "to": {"desk": "y"}}],
        "overlay": {"crash": {"equity:NONE": "-5%"}},
    }
    answer = served.client(shared.store).post(address(shared), json={"changes": changes})
    assert answer.status_code == 422
    errors = answer.json()["errors"]
    assert len(errors) == 7
    for word in ("NONE-1", "NONE-2", "strik", "equity:NOPE", "loud", "bok", "equity:NONE"):
        assert sum(word in each for each in errors) >= 1, word
    assert answer.json()["detail"].startswith("the changes cannot be made for 7 reasons: ")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"drop": ["NONE"]}, "unknown trade"),
        ({"snapshot": "/etc/passwd"}, "unknown named market '/etc/passwd'"),
        ({"scenarios": "nope"}, "unknown named scenarios 'nope'"),
        ({"overlay": "crash.yaml"}, "unknown named scenarios 'crash.yaml'"),
        ({"date": {"date": "2016-06-30", "history": "/etc"}}, "date.history"),
        ({"date": {"date": "soon"}}, "date is 'soon'; a date such as 2016-06-30 is right"),
        ({"history": "sample"}, "history: unknown key 'history'"),
        ({"add": {"fx_fwd": [{"trade_id": "x"}]}}, "unknown instrument 'fx_fwd'"),
        ({"resize": {"a": "many"}}, "resize.a"),
    ],
)
def test_what_if__refuses_in_a_sentence(shared, changes, sentence):
    answer = served.client(shared.store).post(address(shared), json={"changes": changes})
    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]


def test_what_if__of_one_desk_knows_no_other_trade(shared):
    client = served.client(shared.store, "flow")
    hidden = of_desk(shared, "Macro")[0]
    answer = client.post(address(shared), json={"changes": {"drop": [hidden]}})
    assert (answer.status_code, answer.json()["detail"].startswith(f"unknown trade '{hidden}'; ")) == (422, True)
    known = answer.json()["detail"].partition("known: ")[2]
    assert not any(f"'{trade}'" in known for trade in of_desk(shared, "Macro"))
    own = client.post(address(shared), json={"changes": {"drop": of_desk(shared, "Flow")[:1]}})
    assert own.json()["parent"] == shared.run_id
    assert own.json()["trades"] == len(of_desk(shared, "Flow")) - 1
    foreign = {"amend": {of_desk(shared, "Flow")[0]: {"desk": "Macro"}}}
    refused = client.post(address(shared), json={"changes": foreign})
    assert refused.status_code == 403
    assert "your books are desk Flow" in refused.json()["detail"]


def test_what_if__of_a_run_that_is_not_finished_waits_for_it(first):
    client = served.client(first.store)
    asked = {"portfolio": "book", "market": "today", "scenarios": "days", "name": "later"}
    run_id = client.post("/api/v1/runs", json=asked).json()["run_id"]
    answer = client.post(f"/api/v1/runs/{run_id}/what-ifs", json={"changes": {"drop": ["x"]}})
    assert answer.status_code == 409
    assert "is queued; its numbers are there once it is finished" in answer.json()["detail"]
    assert client.post("/api/v1/runs/none/what-ifs", json={"changes": {}}).status_code == 404


def test_what_if__whose_overlay_makes_too_many_scenarios_is_refused_with_their_number(first):
    changes = {"overlay": {f"s{at}": {"equity:*": "-5%"} for at in range(5_000)}}
    answer = served.client(first.store, "ann").post(address(first), json={"changes": changes})
    assert answer.status_code == 422
    assert "at most 20,000 are right" in answer.json()["detail"]


ADDED = {"trade_id": "N-1", "region": "EMEA", "desk": "Flow", "book": "Flow A", "trade_date": "2016-06-01"}
ADDED |= {"underlying": "SPX", "currency": "USD"}


@pytest.mark.parametrize(
    "changes",
    [
        {"add": {"equity": [{**ADDED, "quantity": float("nan")}]}},
        {"add": {"equity": [{**ADDED, "quantity": 10**400}]}},
        {"amend": {"TRADE": {"quantity": 10**400}}},
        {"amend": {"TRADE": {"quantity": float("nan")}}},
        {"amend": {"TRADE": {"trade_date": 10**30}}},
        {"resize": {"TRADE": 10**400}},
        {"resize": {"TRADE": float("nan")}},
    ],
)
def test_what_if__of_a_number_that_is_none_is_refused(shared, changes):
    content = json.dumps({"changes": changes}).replace("TRADE", of_desk(shared, "Flow")[0])
    headers = {"Content-Type": "application/json"}
    answer = served.client(shared.store).post(address(shared), content=content, headers=headers)
    assert answer.status_code == 422, answer.text


def test_what_if__with_a_member_twice_is_refused(shared):
    client, headers = served.client(shared.store), {"Content-Type": "application/json"}
    for content, where in (
        ('{"changes": {"resize": {"T-1": 1, "T-1": 2}}}', "changes.resize has the member 'T-1'"),
        ('{"changes": {"add": {"equity": [{"quantity": 1, "quantity": 2}]}}}', "changes.add.equity.0 has the member"),
        ('{"changes": {}, "changes": {"drop": ["T-1"]}}', "the body has the member 'changes'"),
    ):
        answer = client.post(address(shared), content=content, headers=headers)
        assert (answer.status_code, where in answer.json()["detail"]) == (422, True), answer.text
        assert answer.json()["type"] == "urn:riskgrid:error:InputError"


MANY = {
    "resize": ({"resize": {f"T-{at}": 1.0 for at in range(10_001)}}, "has 10,001 entries; 10,000 are right at most"),
    "amend": ({"amend": {f"T-{at}": {} for at in range(10_001)}}, "amend has 10,001 entries"),
    "drop": ({"drop": [f"T-{at}" for at in range(10_001)]}, "changes.drop has 10,001 entries"),
    "add": ({"add": {"equity": [{}] * 10_001}}, "changes.add.equity has 10,001 entries"),
    "rules": ({"rehang": [{"where": {}, "to": {}}] * 1_001}, "changes.rehang has 1,001 entries; 1,000 are right"),
    "shifts": ({"shift": {f"fx:{at}*": 0.1 for at in range(1_001)}}, "changes.shift has 1,001 entries"),
    "overlay": ({"overlay": {f"s{at}": {"a": 1, "b": 1} for at in range(3_000)}}, "6,000 lines of shocks; 5,000 are"),
    "overlay of lists": ({"overlay": {f"s{at}": [{"a": 1, "b": 2}] * 900 for at in range(3)}}, "5,400 lines of shocks"),
    "columns": ({"add": {"equity": [{f"c{at}": ""} for at in range(1_001)]}}, "'equity' has 1,001 columns; 1,000 are"),
}


@pytest.mark.parametrize("kind", MANY)
def test_what_if__of_more_than_can_be_asked_at_once_is_refused_with_the_count(shared, kind):
    changes, sentence = MANY[kind]
    answer = served.client(shared.store).post(address(shared), json={"changes": changes})
    assert (answer.status_code, sentence in answer.json()["detail"]) == (422, True), answer.text


@pytest.mark.parametrize("trade", ["N/1", "/N", "N/", "N 1 % ?#", "a/pnl/b"])
def test_trade__whose_id_has_a_slash_is_found_by_it(shared, trade):
    client = served.client(shared.store)
    body = {"changes": {"add": {"equity": [{**ADDED, "trade_id": trade}]}}}
    run = client.post(address(shared), json=body, headers={"Prefer": "wait=10"}).json()["run_id"]
    for spelt in (quote(trade, safe=""), quote(trade, safe="/")):
        for part, name in (("", "base_value"), ("/pnl", "pnl")):
            answer = client.get(f"/api/v1/runs/{run}/trades/{spelt}{part}")
            assert answer.status_code == 200, answer.text
            found = wire.from_json(answer.json())
            assert found["trade_id"].values.tolist() == [trade]
            assert name in found
