"""A report keeps all rows, then the details of the best runs, and stays below its size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.page.report import inlined_json
from green_callbacks.page.report_data import best_first, fitted

POINTS = 100


def row(number, best=None, *, metric="val_acc", mode="max", grams=1.0, points=POINTS):
    steps = [(at + 1) / points for at in range(points)]
    return {
        "key": f"{number:016x}",
        "name": f"search/trial_{number}",
        "metric": metric,
        "mode": mode,
        "best": best,
        "g": grams,
        "front": {"g": [grams * at for at in steps], "q": [(best or 0.0) * at for at in steps], "epoch": []},
    }


def data_of(rows, most_bytes, detail=lambda key: {"key": key, "g": [0.123456] * 1000}):
    return fitted(
        {"runs": rows, "said": ["One."], "folder": "logs"},
        detail=detail,
        stop=lambda key, rule: {"key": key, "rule": rule},
        rules=["marginal-gain"],
        zones={"zones": []},
        most_bytes=most_bytes,
    )


def test_everything_is_there_if_it_fits():
    data = data_of([row(0, 0.5), row(1, 0.6)], 100_000)
    assert set(data["details"]) == set(data["stops"]["marginal-gain"]) == {f"{0:016x}", f"{1:016x}"}
    assert data["runs"]["said"] == ["One."]
    assert data["runs"]["folder"] == "logs"
    assert len(data["runs"]["runs"][0]["front"]["g"]) == POINTS


@given(st.integers(1, 60), st.integers(4_000, 400_000))
def test_the_size_is_kept_and_what_is_missing_is_said(count, most_bytes):
    data = data_of([row(number, number / 100) for number in range(count)], most_bytes)
    rows, details = data["runs"]["runs"], data["details"]
    assert [each["key"] for each in rows] == [f"{number:016x}" for number in range(count)]
    if details:
        assert len(inlined_json(data)) <= most_bytes + 500
    if len(details) < count:
        assert f"for {len(details):,} of {count:,} runs" in " ".join(data["runs"]["said"])
    assert list(details) == best_first(rows)[: len(details)]


def test_thinned_curves_keep_their_ends_and_are_said():
    data = data_of([row(number, 0.5, grams=2.0) for number in range(20)], 30_000)
    curve = data["runs"]["runs"][3]["front"]
    assert curve["g"][0] == pytest.approx(0.02)
    assert curve["g"][-1] == 2.0
    assert curve["epoch"] == []
    assert len(curve["g"]) < POINTS
    assert "at most" in data["runs"]["said"][1]


def test_no_detail_is_read_after_the_file_is_full():
    asked = []
    data_of([row(number, 0.5) for number in range(30)], 120_000, lambda key: asked.append(key) or {"g": [0.1] * 4000})
    assert 1 < len(asked) < 10


def test_runs_on_the_front_come_first_then_better_runs_then_runs_without_a_metric():
    rows = [
        row(0, 0.6, grams=10.0),
        row(1, 0.9, grams=10.0),
        row(2, 0.5, grams=1.0),
        row(3, 0.89, grams=20.0),
        row(4, None, metric=None, grams=5.0),
        row(5, None, metric=None, grams=6.0),
        {"key": "unread", "state": "unread"},
    ]
    order = [key.lstrip("0") or "0" for key in best_first(rows)]
    assert order == ["1", "2", "3", "0", "5", "4", "unread"]


def test_a_falling_metric_is_better_when_lower():
    rows = [row(0, 0.9, mode="min", points=0), row(1, 0.1, mode="min", points=0)]
    assert best_first(rows) == [f"{1:016x}", f"{0:016x}"]


def test_runs_whose_rule_cannot_be_replayed_have_no_stop():
    data = fitted(
        {"runs": [row(0, 0.5)], "said": []},
        detail=lambda key: {"key": key},
        stop=lambda *_: None,
        rules=["a"],
        zones={},
    )
    assert data["stops"] == {"a": {}}
