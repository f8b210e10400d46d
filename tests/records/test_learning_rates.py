"""When a learning rate has dropped, and when it is annealed: the same for adapters and policies."""

import pytest

from green_callbacks.records.learning_rates import ANNEALED_SHARE, DROP_SHARE, is_annealed, is_drop


@pytest.mark.parametrize(
    ("before", "after", "drops"),
    [(0.1, 0.1 * DROP_SHARE, True), (0.1, 0.051, False), (0.1, 0.2, False), (0.0, 0.0, False), (0.1, 0.0, True)],
)
def test_half_or_less_is_a_drop(before, after, drops):
    assert is_drop(before, after) == drops


@pytest.mark.parametrize(
    ("last", "anneals"), [(0.0, True), (0.3 * ANNEALED_SHARE, True), (0.3 * ANNEALED_SHARE * 1.001, False)]
)
def test_a_tenth_of_the_highest_or_less_is_annealed(last, anneals):
    assert is_annealed(last, 0.3) == anneals


def test_a_rate_in_32_bits_is_no_other():
    assert is_annealed(0.010000000707805157, 0.1)  # 0.01 in 32 bits, with an error of its schedule
