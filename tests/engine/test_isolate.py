import numpy as np
import pytest

from riskgrid.engine import isolate as module
from riskgrid.engine.isolate import isolate
from riskgrid.errors import MissingMarketData, NotAQuantity, UnrecordedRead


def attempts(bad, error=ValueError):
    done, calls = [], []

    def attempt(trades):
        calls.append(len(trades))
        if set(trades.tolist()) & set(bad):
            raise error(f"{len(trades)} trades")
        done.extend(trades.tolist())

    return attempt, done, calls


def test_isolate__finds_the_trades_at_fault_and_runs_the_rest_once():
    attempt, done, calls = attempts([3, 700])
    failed = isolate(attempt, np.arange(1000))
    assert [trade for trade, _ in failed] == [3, 700]
    assert {str(error) for _, error in failed} == {"1 trades"}
    assert set(done) == set(range(1000)) - {3, 700}
    assert len(calls) < 45 + module.SAMPLE


def test_isolate__without_a_fault_calls_once():
    attempt, _done, calls = attempts([])
    assert isolate(attempt, np.arange(10)) == []
    assert calls == [10]
    assert isolate(attempt, np.arange(0)) == []
    assert calls == [10]


def test_isolate__holds_the_pricer_at_fault_where_a_sample_fails_in_one_way():
    attempt, _, calls = attempts(range(100_000), MissingMarketData)
    failed = isolate(attempt, np.arange(100_000))
    assert sorted(trade for trade, _ in failed) == list(range(100_000))
    assert len(calls) == 1 + module.SAMPLE


def test_isolate__loses_no_good_trade_to_many_bad_ones():
    attempt, done, _ = attempts(range(module.SAMPLE * 4))
    failed = isolate(attempt, np.arange(module.SAMPLE * 8))
    assert set(done) == set(range(module.SAMPLE * 4, module.SAMPLE * 8))
    assert len(failed) == module.SAMPLE * 4


def test_isolate__fails_all_at_once_where_the_pricer_is_at_fault():
    attempt, _, calls = attempts([5], NotAQuantity)
    assert len(isolate(attempt, np.arange(1000))) == 1000
    assert calls == [1000]


@pytest.mark.parametrize("error", [UnrecordedRead, MemoryError, KeyboardInterrupt])
def test_isolate__hands_on_what_no_trade_is_at_fault_for(error):
    attempt, _, _ = attempts([5], error)
    with pytest.raises(error):
        isolate(attempt, np.arange(10))
