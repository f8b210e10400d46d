"""A few of the interrupts of ``make torture``."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import interrupts
import signals
import traced

STRIDE, OPCODE_STRIDE = 101, 997
"""Primes, so that loops are met at all of their places."""
SIGNALS = 20


@pytest.mark.no_cover
@pytest.mark.parametrize(("opcodes", "stride"), [(False, STRIDE), (True, OPCODE_STRIDE)])
def test_an_interrupt_at_any_place_leaves_a_whole_run_and_is_the_users(tmp_path, opcodes, stride):
    events = traced.events_of(tmp_path, opcodes=opcodes)
    assert events > 300
    done, faults = traced.faults_at(range(1, events + 1, stride), tmp_path, opcodes=opcodes)
    assert dict(faults.most_common(10)) == {}
    assert done > 40


@pytest.mark.parametrize("handler", signals.HANDLERS)
def test_a_signal_at_any_instant_leaves_a_whole_run(handler):
    done, faults = interrupts.signaled(handler, SIGNALS)
    assert dict(faults) == {}
    assert done > SIGNALS // 4
