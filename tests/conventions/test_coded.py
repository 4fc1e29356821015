"""One convention for all trades, or codes into a few."""

import numpy as np
import pytest

from riskgrid.conventions.coded import groups, take
from riskgrid.errors import InputError


def test_groups__cover_every_element_once_and_match_its_codes():
    rng = np.random.default_rng(3)
    first, second = rng.integers(0, 3, 200), rng.integers(0, 4, 200)
    seen = np.zeros(200, dtype=int)
    for (a, b, c), where in groups(200, (first, "xyz"), (second, (10, 11, 12, 13)), "all"):
        seen[where] += 1
        assert {"xyz"[i] for i in first[where]} == {a}
        assert set(second[where] + 10) == {b}
        assert c == "all"
    assert seen.tolist() == [1] * 200


def test_groups__of_one_value_need_no_index():
    assert list(groups(3, "a")) == [(("a",), slice(None))]
    assert list(groups(3, (np.array([1, 1, 1]), "ab"))) == [(("b",), slice(None))]
    assert list(groups(0, "a")) == []


@pytest.mark.parametrize(
    ("codes", "sentence"),
    [
        ([0, 2], "code 2 at position 1 names no value; known: 0 to 1"),
        ([-1, 0], "code -1 at position 0"),
        ([0], r"shape \(1,\); one for each of 2"),
    ],
)
def test_groups__name_a_code_that_means_nothing(codes, sentence):
    with pytest.raises(InputError, match=sentence):
        list(groups(2, (np.array(codes), ("a", "b"))))


def test_take__leaves_a_single_value_alone():
    assert take("following", np.array([1])) == "following"


def test_take__of_the_only_value_is_that_value():
    assert take((np.array([0, 0, 0]), ["TARGET"]), np.array([2, 1])) == "TARGET"
