from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import riskgrid as rg
from riskgrid.api.sending import preferences
from riskgrid.result import open_run
from tests.api import served
from tests.run import made

ASKED = {"name": "nightly", "portfolio": "book", "market": "today", "scenarios": "days", "cut": 16}
RUNS = "/api/v1/runs"


@pytest.fixture
def first(tmp_path):
    return served.filled(tmp_path / "store")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return served.filled(tmp_path_factory.mktemp("shared"))


def test_ask_run__is_accepted_and_answered_as_the_library_does(first):
    client = served.client(first.store, "ann")
    answer = client.post(RUNS, json={**ASKED, "reporting": "EUR"})
    assert answer.status_code == 202
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["status"] == "queued"
    served.worked(first.store)
    told = client.get(answer.headers["Location"]).json()
    assert (told["status"], told["currency"], told["principal"]) == ("complete", "EUR", "ann")
    done = open_run(told["run_id"], store=first.store)
    direct = rg.run(first.portfolio, first.market, first.scenarios, store=first.store, reporting="EUR", progress=None)
    assert made.same_bits(done, direct)


def test_ask_run__of_one_who_sees_a_desk_is_of_its_trades(first):
    client = served.client(first.store, "flow")
    answer = client.post(RUNS, json=ASKED)
    served.worked(first.store)
    told = client.get(answer.headers["Location"]).json()
    assert told["trades"] == int((first.trade_table()["desk"].values == "Flow").sum())
    assert told["whole"]
    assert served.client(first.store, "macro").get(answer.headers["Location"]).status_code == 404


def test_ask_run__of_the_inputs_of_a_run_is_the_run_as_one_sees_it(first):
    of = {"of": first.run_id}
    asked = {**ASKED, "portfolio": of, "market": of, "scenarios": of}
    answer = served.client(first.store, "flow").post(RUNS, json=asked)
    assert answer.status_code == 202
    assert answer.json()["trades"] == int((first.trade_table()["desk"].values == "Flow").sum())
    whole = served.client(first.store, "ann").post(RUNS, json=asked)
    assert whole.json()["trades"] == first.row.trades


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({**ASKED, "portfolio": "bok"}, 422, "unknown named portfolio 'bok'; did you mean 'book'?"),
        ({**ASKED, "portfolio": "../../etc/passwd"}, 422, "unknown named portfolio '../../etc/passwd'"),
        ({**ASKED, "market": "https://example.org/x"}, 422, "unknown named market 'https://example.org/x'"),
        ({**ASKED, "portfolio": {"of": "nothing"}}, 422, "unknown run 'nothing'"),
        ({**ASKED, "portfolio": {"path": "x"}}, 422, "portfolio.Of"),
        ({**ASKED, "cut": 3}, 422, "cut"),
        ({**ASKED, "priority": 1001}, 422, "priority is 1001; 0 to 1000 is right"),
        ({**ASKED, "limits": {"seconds": -1}}, 422, "limits.seconds: Input should be greater than 0"),
        ({**ASKED, "store": "x"}, 422, "store: unknown key 'store'"),
        ({**ASKED, "cell_labels": ["desc"]}, 422, "desc"),
        ({**ASKED, "cell_labels": ["desk"] * 12}, 422, "cell_labels name 'desk' twice; once is right"),
        ({}, 422, "portfolio: Field required"),
    ],
)
def test_ask_run__refuses_what_is_wrong_in_a_sentence(shared, body, status, sentence):
    answer = served.client(shared.store).post(RUNS, json=body)
    assert answer.status_code == status
    assert sentence in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_ask_run__needs_the_scope(shared):
    answer = served.client(shared.store, "reader").post(RUNS, json=ASKED)
    assert (answer.status_code, answer.json()["detail"]) == (403, "'reader' may read; this needs the scope 'run'")


def test_ask_run__beyond_the_quota_is_told_when_to_come_back(first):
    client = served.client(first.store, "ann", quota=1)
    keyed = {"Idempotency-Key": "k"}
    assert client.post(RUNS, json=ASKED, headers=keyed).status_code == 202
    answer = client.post(RUNS, json={**ASKED, "name": "more"})
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "5"
    assert client.post(RUNS, json=ASKED, headers=keyed).status_code == 202


def test_key__sent_twenty_times_at_once_is_one_run(first):
    client = served.client(first.store, "ann")
    before = first.store.catalogue.count()
    send = lambda _: client.post(RUNS, json=ASKED, headers={"Idempotency-Key": "k-1"})  # noqa: E731
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert first.store.catalogue.count() == before + 1


def test_key__means_the_request_and_not_what_its_names_mean_by_now(first):
    client = served.client(first.store, "ann")
    keyed = {"Idempotency-Key": "k-1"}
    run_id = client.post(RUNS, json=ASKED, headers=keyed).json()["run_id"]
    rg.keep(made.portfolio(2), "book", store=first.store)
    again = client.post(RUNS, json=ASKED, headers=keyed)
    assert again.json()["run_id"] == run_id
    assert again.headers["Idempotent-Replayed"] == "true"


def test_key__of_another_request_is_refused_and_of_another_route_or_principal_another(first):
    client = served.client(first.store, "ann")
    keyed = {"Idempotency-Key": "k-1"}
    run_id = client.post(RUNS, json=ASKED, headers=keyed).json()["run_id"]
    other = client.post(RUNS, json={**ASKED, "name": "other"}, headers=keyed)
    assert other.status_code == 422
    assert f"the request key 'k-1' was used for another request, run '{run_id}'" in other.json()["detail"]
    changes = {"changes": {"drop": [next(iter(first.portfolio.places()))]}}
    branch = client.post(f"{RUNS}/{first.run_id}/what-ifs", json=changes, headers=keyed)
    assert branch.status_code == 201
    assert branch.json()["run_id"] != run_id
    theirs = served.client(first.store, "local").post(RUNS, json=ASKED, headers=keyed)
    assert theirs.json()["run_id"] != run_id


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
def test_key__that_is_none_is_refused(shared, key):
    answer = served.client(shared.store).post(RUNS, json=ASKED, headers={"Idempotency-Key": key})
    assert answer.status_code == 422


def test_get_run__tells_what_it_is_of_and_comes_once(shared):
    client = served.client(shared.store)
    answer = client.get(f"{RUNS}/{shared.run_id}")
    told = answer.json()
    total = shared.aggregate()
    assert told["coverage"] == float(total["coverage"].values[0])
    assert told["cell_labels"] == list(shared.manifest["cell_labels"])
    assert (told["market_date"], told["horizon"], told["currency"]) == ("2016-07-01", 1, "USD")
    assert told["scenario_set"] == "made"
    assert told["links"]["events"] == f"{RUNS}/{shared.run_id}/events"
    again = client.get(f"{RUNS}/{shared.run_id}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_get_run__of_one_desk_tells_of_its_trades_alone(shared):
    told = served.client(shared.store, "flow").get(f"{RUNS}/{shared.run_id}").json()
    assert told["trades"] == int((shared.trade_table()["desk"].values == "Flow").sum())
    assert (told["status"], told["whole"], told["books"]) == ("finished", False, "desk Flow")


def test_get_run__of_none_of_whose_trades_are_ones_own_has_none(shared):
    answer = served.client(shared.store, "nobody").get(f"{RUNS}/{shared.run_id}")
    assert (answer.status_code, answer.json()["trades"], answer.json()["books"]) == (200, 0, "none")


def test_get_run__that_is_hidden_is_as_one_that_never_was(first):
    row = served.client(first.store, "flow").post(RUNS, json=ASKED).json()
    client = served.client(first.store, "macro")
    hidden, unknown = (client.get(f"{RUNS}/{run_id}") for run_id in (row["run_id"], "0" * 12))
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.json()["detail"].replace(row["run_id"], "0" * 12) == unknown.json()["detail"]


def test_list_runs__pages_through_all_of_them(first):
    client = served.client(first.store, "ann")
    ids = [client.post(RUNS, json={**ASKED, "name": f"n{at}"}).json()["run_id"] for at in range(4)]
    found, cursor = [], None
    while True:
        page = client.get(RUNS, params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        found += [item["run_id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == [*reversed(ids), first.run_id]


def test_cancel__and_resume_are_for_its_principal(first):
    ann = served.client(first.store, "ann")
    run_id = ann.post(RUNS, json=ASKED).json()["run_id"]
    other = served.client(first.store, "flow").post(RUNS, json=ASKED).json()["run_id"]
    assert served.client(first.store, "local").post(f"{RUNS}/{other}/cancel").json()["status"] == "cancelled"
    refused = ann.post(f"{RUNS}/{other}/cancel")
    assert (refused.status_code, "was asked by another" in refused.json()["detail"]) == (403, True)
    assert ann.post(f"{RUNS}/{run_id}/resume").status_code == 409
    assert ann.post(f"{RUNS}/{run_id}/cancel").json()["status"] == "cancelled"
    again = ann.post(f"{RUNS}/{run_id}/cancel")
    assert (again.status_code, "has ended already" in again.json()["detail"]) == (409, True)
    assert ann.post(f"{RUNS}/{run_id}/resume").json()["status"] == "queued"
    served.worked(first.store)
    assert ann.get(f"{RUNS}/{run_id}").json()["status"] == "complete"


def test_preferences__are_read_as_the_rfc_has_them():
    assert preferences("wait=x; y") == {"wait": "x"}
    assert preferences("") == {}


def test_report__of_an_answer_is_the_librarys(shared):
    answer = served.client(shared.store).get(f"{RUNS}/{shared.run_id}/pnl", params={"by": "desk"}).json()
    values = np.array(answer["variables"]["pnl"]["values"])
    np.testing.assert_array_equal(values, shared.aggregate(["desk"])["pnl"].values)
