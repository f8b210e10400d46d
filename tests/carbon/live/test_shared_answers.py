"""Processes that ask the same share one answer, and no file of theirs can be in the way."""

import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.carbon._step_function import Step
from green_callbacks.carbon.live.shared_answers import CLAIM_SECONDS, ServiceAnswer, SharedAnswers

NOW = 1_750_000_000.0
ANSWER = ServiceAnswer((Step(NOW, NOW + 1800, 263.0, ("forecast",)), Step(NOW + 1800, NOW + 3600, 0.0)), NOW + 900)


class Service:
    """A count of questions, and an answer."""

    def __init__(self, answer: ServiceAnswer = ANSWER) -> None:
        self.asked: list[ServiceAnswer | None] = []
        self.answer = answer

    def __call__(self, last: ServiceAnswer | None) -> ServiceAnswer:
        self.asked.append(last)
        return self.answer


def test_an_answer_is_asked_for_once(tmp_path: Path):
    service = Service()
    for _ in range(3):
        assert SharedAnswers(tmp_path / "new" / "folder").get("key", NOW, service, 0) == ANSWER
    assert service.asked == [None]
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["key.json"]


def test_each_question_has_its_own(tmp_path: Path):
    service = Service()
    SharedAnswers(tmp_path).get("one", NOW, service, 0)
    SharedAnswers(tmp_path).get("other", NOW, service, 0)
    assert service.asked == [None, None]


@pytest.mark.parametrize(("later", "asked"), [(899, 1), (900, 2), (1e6, 2), (-1e6, 2)])
def test_an_old_answer_and_one_from_the_future_are_asked_for_again(later: float, asked: int, tmp_path: Path):
    service = Service()
    SharedAnswers(tmp_path).get("key", NOW, service, 0)
    SharedAnswers(tmp_path).get("key", NOW + later, service, 0)
    assert service.asked == [None, ANSWER][:asked]


def test_while_another_asks_its_answer_is_waited_for(tmp_path: Path):
    is_asked, may_answer = threading.Event(), threading.Event()

    def slow(last: ServiceAnswer | None) -> ServiceAnswer:
        is_asked.set()
        may_answer.wait(10)
        return ANSWER

    first = threading.Thread(target=lambda: SharedAnswers(tmp_path).get("key", NOW, slow, 0))
    first.start()
    assert is_asked.wait(10)
    service = Service()
    assert SharedAnswers(tmp_path).get("key", NOW, service, 0) is None
    threading.Timer(0.1, may_answer.set).start()
    assert SharedAnswers(tmp_path).get("key", NOW, service, 10) == ANSWER
    first.join()
    assert service.asked == []


def test_a_claim_whose_owner_died_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    service, time = Service(), NOW // CLAIM_SECONDS * CLAIM_SECONDS
    dead = tmp_path / f"key.{int(time // CLAIM_SECONDS)}.claim"
    dead.touch()
    monkeypatch.setattr("time.time", lambda: time)
    assert SharedAnswers(tmp_path).get("key", NOW, service, 0) is None
    monkeypatch.setattr("time.time", lambda: time + CLAIM_SECONDS)
    assert SharedAnswers(tmp_path).get("key", NOW, service, 0) == ANSWER
    assert [path.name for path in tmp_path.iterdir()] == ["key.json"]


def test_who_claims_late_finds_the_answer_of_the_one_before(tmp_path: Path):
    service, answers = Service(), SharedAnswers(tmp_path)
    assert answers._ask("key", NOW, service) == answers._ask("key", NOW, service) == ANSWER
    assert service.asked == [None]


def test_a_failure_is_shared_as_well(tmp_path: Path):
    failed = ServiceAnswer(ANSWER.points, NOW + 60, 1, "HTTP 500")
    service = Service(failed)
    assert SharedAnswers(tmp_path).get("key", NOW, service, 0) == failed
    assert SharedAnswers(tmp_path).get("key", NOW + 59, service, 0) == failed
    assert len(service.asked) == 1


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path: Path):
    (tmp_path / "file").touch()
    service = Service()
    assert SharedAnswers(tmp_path / "file" / "folder").get("key", NOW, service, 0) == ANSWER


def test_an_answer_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path):
    (tmp_path / "key.json").mkdir()
    assert SharedAnswers(tmp_path).get("key", NOW, Service(), 0) == ANSWER
    assert [path.name for path in tmp_path.iterdir()] == ["key.json"]


def test_a_failing_question_leaves_no_claim(tmp_path: Path):
    def fail(last: ServiceAnswer | None) -> ServiceAnswer:
        raise KeyError

    with pytest.raises(KeyError):
        SharedAnswers(tmp_path).get("key", NOW, fail, 0)
    assert list(tmp_path.iterdir()) == []


def test_others_cannot_read_it(tmp_path: Path):
    SharedAnswers(tmp_path / "folder").get("key", NOW, Service(), 0)
    if os.name == "posix":
        assert (tmp_path / "folder" / "key.json").stat().st_mode & 0o077 == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
POINT_LIKE = st.tuples(json_values, json_values, json_values, json_values).map(list) | json_values


@given(st.text() | json_values.map(json.dumps))
def test_a_file_of_something_else_is_none(text: str):
    assert ServiceAnswer.from_json(text) is None


@given(st.lists(POINT_LIKE, max_size=3), json_values, json_values, json_values)
def test_what_is_wrong_in_a_file_is_left_out(points: object, next_at: object, failures: object, failure: object):
    fields = {"schema": 1, "points": points, "next_at": next_at, "failures": failures, "failure": failure}
    answer = ServiceAnswer.from_json(json.dumps(fields))
    assert answer is None or all(0 <= point.g_per_kwh < 1500 and point.start < point.end for point in answer.points)


@pytest.mark.parametrize("text", ["", "[" * 100_000, '{"schema": 2, "next_at": 1, "failures": 0}'])
def test_a_broken_file_is_none(text: str):
    assert ServiceAnswer.from_json(text) is None


def test_what_is_written_is_read():
    assert ServiceAnswer.from_json(ANSWER.to_json()) == ANSWER
    failed = ServiceAnswer((), NOW, 3, "HTTP 500")
    assert ServiceAnswer.from_json(failed.to_json()) == failed


def test_other_bytes_are_none(tmp_path: Path):
    (tmp_path / "key.json").write_bytes(b"\xff\xfe")
    assert SharedAnswers(tmp_path).get("key", NOW, Service(), 0) == ANSWER


@pytest.mark.parametrize(
    "point",
    [
        [0.0, 1e9, 300.0, []],
        [0.0, 3600.0, 300.0, ["x" * 1000]],
        [0.0, 3600.0, 300.0, ["\x1b[2J"]],
        [0.0, 3600.0, 300.0, [5]],
        [0.0, 3600.0, 300.0, ["a"] * 1000],
        [3600.0, 0.0, 300.0, []],
    ],
    ids=range(6),
)
def test_a_point_that_no_service_would_tell_is_left_out(point: list[object]):
    good = [0.0, 3600.0, 300.0, ["estimated"]]
    text = json.dumps({"schema": 1, "points": [point, good], "next_at": 1.0, "failures": -5, "failure": "a\nb"})
    answer = ServiceAnswer.from_json(text)
    assert [point.flags for point in answer.points] == [("estimated",)]
    assert (answer.failures, answer.failure) == (0, None)
