import pytest

from riskgrid.engine.again import PAUSES, patiently
from riskgrid.errors import StoreError


class Failing:
    def __init__(self, times, *, transient=True):
        self.times, self.transient, self.asked = times, transient, 0

    def __call__(self, number):
        self.asked += 1
        if self.asked <= self.times:
            error = StoreError(f"no {self.asked}")
            error.transient = self.transient
            raise error
        return 2 * number


@pytest.mark.parametrize("times", range(len(PAUSES) + 1))
def test_patiently__asks_again_until_there_is_an_answer(times):
    noted, slept = [], []
    assert patiently(Failing(times), 4, noted=noted.append, sleep=slept.append) == 8
    assert noted == [f"no {number}" for number in range(1, times + 1)]
    assert slept == list(PAUSES[:times])


def test_patiently__gives_up_in_the_end():
    failing = Failing(10**6)
    with pytest.raises(StoreError, match=f"no {len(PAUSES) + 1}"):
        patiently(failing, 4, sleep=lambda seconds: None)
    assert failing.asked == len(PAUSES) + 1


def test_patiently__does_not_repeat_what_stays_as_it_is():
    failing = Failing(1, transient=False)
    with pytest.raises(StoreError, match="no 1"):
        patiently(failing, 4)
    assert failing.asked == 1
