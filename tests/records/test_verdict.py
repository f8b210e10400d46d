"""The codes of a verdict, and the former ones that are taken as well."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import get_args

import pytest

from green_callbacks.records import Code, Verdict


def test_the_codes_are_those_that_writers_write():
    assert get_args(Code) == ("waiting", "active", "warning", "landing", "stopping")


@pytest.mark.parametrize("code", get_args(Code))
def test_a_code_stays_as_it_is(code):
    assert Verdict(stop=False, code=code, reason="").code == code


@pytest.mark.parametrize(("former", "code"), [("held", "waiting"), ("armed", "active")])
def test_a_former_code_gets_its_present_name(former, code):
    verdict = Verdict(stop=False, code=former, reason="Going on.")
    assert verdict == Verdict(stop=False, code=code, reason="Going on.")
    assert replace(verdict, code=former).code == code


def test_a_verdict_copies_pickles_and_is_frozen():
    verdict = Verdict(stop=True, code="stopping", reason="Spent.", values={"green/budget_left_kg": 0.0})
    assert copy.deepcopy(verdict) == pickle.loads(pickle.dumps(verdict)) == verdict
    with pytest.raises(FrozenInstanceError):
        verdict.code = "active"
