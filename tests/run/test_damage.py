"""What a flipped bit in a stored block costs: it is found by whoever reads its row, and priced again, no other."""

import numpy as np
import pytest

from riskgrid.change import Changes
from riskgrid.errors import DamagedObject
from riskgrid.result import open_run
from riskgrid.running import run
from riskgrid.whatif import what_if
from tests.run import made


@pytest.fixture
def done(market, tmp_path):
    return run(made.portfolio(40, only=("equity",)), market, made.scenarios(count=30), store=tmp_path, cut=4096)


def block(done):
    (path,) = block_files(done)
    return path


def flip(done, row):
    """One bit in the ticks of a row of the only block; returns the trade of that row."""
    path, place = block(done), done.cube.placement
    content = bytearray(path.read_bytes())
    ticks = 40 * 30 * 4
    content[len(content) - ticks + row * 120 + 7] ^= 4
    path.write_bytes(content)
    trade = int(np.flatnonzero(place.row == row)[0])
    return str(done.cube.labels["trade_id"].texts()[trade])


READERS = {
    "trades": lambda found: found.trades.pnl.values,
    "trade_pnl": lambda found: found.cube.trade_pnl(np.arange(40)),
    "pivot": lambda found: found.aggregate("counterparty"),
    "worst_trades": lambda found: found.worst_trades(str(found.cube.scenarios[3])),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_flipped_bit_is_named_by_whoever_reads_its_row_and_then_priced_anew(done, market, reader):
    before = block(done).read_bytes()
    flip(done, row=13)
    found = open_run(done.run_id, store=done.store)
    sentence = (
        rf"run '{done.run_id}' has a block that cannot be read: .*row 13 of 'ticks' is not what was written.*"
        rf"ask the same question again \(riskgrid.run\), or say 'riskgrid verify {done.run_id} --repair'"
    )
    with pytest.raises(DamagedObject, match=sentence):
        READERS[reader](found)
    assert not block_files(done), "what cannot be read is no longer there, so that asking again makes it"
    again = run(made.portfolio(40, only=("equity",)), market, made.scenarios(count=30), store=done.store, cut=4096)
    assert again.manifest["blocks"] == {"priced": 1, "found": 0, "failed": 0}
    assert block(done).read_bytes() == before
    assert made.same_bits(done, again)


def block_files(done):
    return list((done.store.root / "blocks").glob("*/*"))


def test_a_flipped_bit_is_named_when_trades_are_written_to_a_file(done, tmp_path):
    flip(done, row=2)
    with pytest.raises(DamagedObject, match="row 2 of 'ticks'"):
        open_run(done.run_id, store=done.store).to_parquet(tmp_path / "trades.parquet")


def test_rows_beside_a_flipped_bit_are_read_as_ever(done):
    expected = done.cube.trade_pnl(np.arange(40))
    trade = flip(done, row=13)
    found = open_run(done.run_id, store=done.store)
    ids = found.cube.labels["trade_id"].texts()
    sound = np.flatnonzero(ids != trade)
    assert found.cube.trade_pnl(sound).tobytes() == expected[sound].tobytes()
    total = found.cube.nodes((), {"trade_id": ids[sound].tolist()})
    assert np.allclose(total["pnl"].values[0], expected[sound].sum(axis=0), rtol=0, atol=1e-9)
    with pytest.raises(DamagedObject, match="row 13"):
        found.cube.nodes((), {"trade_id": [trade]})


def test_what_is_verified_at_opening_needs_no_ticks(done):
    flip(done, row=13)
    found = open_run(done.run_id, store=done.store)
    assert found.trade_table().base_value.values.tobytes() == done.trade_table().base_value.values.tobytes()
    assert found.aggregate("desk").pnl.values.tobytes() == done.aggregate("desk").pnl.values.tobytes()


@pytest.mark.parametrize("kept_plan", [True, False])
def test_a_what_if_that_reads_a_flipped_bit_heals_it(done, market, tmp_path, kept_plan):
    trade = flip(done, row=13)
    changes = Changes(drop=[trade])
    parent = done if kept_plan else open_run(done.run_id, store=done.store)
    healed = what_if(parent, changes)
    clean = run(made.portfolio(40, only=("equity",)), market, made.scenarios(count=30), store=tmp_path / "clean")
    assert healed.result_id == what_if(clean, changes).result_id
    assert made.same_bits(clean, open_run(healed.row.parent, store=done.store))


def test_a_bit_of_a_base_value_is_found_when_the_block_is_opened(done):
    path = block(done)
    content = bytearray(path.read_bytes())
    at = content.index(done.trade_table().base_value.values[:1].tobytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedObject, match="its checksum is another than when it was written"):
        open_run(done.run_id, store=done.store).trade_table()
