"""Two processes land together."""

import json
from pathlib import Path
from typing import Any

import pytest
from frameworks.lightning.landing_ranks import BATCHES, BEGINS, BUDGET_JOULES
from support.warm_python import run_script

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What both ranks have seen of each run, and what was said."""
    folder = tmp_path_factory.mktemp("ranks")
    done = run_script([HERE / "landing_ranks.py", folder], folder)
    assert done.returncode == 0, done.stderr
    seen = {
        name: [json.loads((folder / f"{name}-{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1)]
        for name in ("rule", "budget", "resumed")
    }
    return {**seen, "said": [{"text": done.stderr}]}


@pytest.mark.parametrize("name", ["rule", "budget", "resumed"])
def test_both_ranks_use_the_same_rates_and_end_at_the_same_step(ranks: dict[str, list[dict[str, Any]]], name: str):
    first, second = ranks[name]
    assert second["used"] == first["used"]
    assert second["step"] == first["step"] == sum(first["landing"][:2])
    assert second["landing"] == first["landing"]
    assert first["reason"] is not None
    assert second["reason"] is not None


@pytest.mark.parametrize("name", ["rule", "budget"])
def test_the_rates_are_those_of_the_schedule_times_the_factor(ranks: dict[str, list[dict[str, Any]]], name: str):
    (seen, _), used = ranks[name], ranks[name][0]["used"]
    begin, length, _ = seen["landing"]
    factors = [1.0] * begin + [1 - (at + 0.5) / length for at in range(length)]
    assert used == pytest.approx([rate * factor for rate, factor in zip(seen["between"], factors, strict=True)])


def test_a_rule_lands_after_its_epochs(ranks: dict[str, list[dict[str, Any]]]):
    assert ranks["rule"][1]["landing"] == [BEGINS * BATCHES, 2 * BATCHES, BEGINS + 1]


def test_a_budget_lands_inside_an_epoch_and_within_itself(ranks: dict[str, list[dict[str, Any]]]):
    seen, _ = ranks["budget"]
    assert seen["landing"][2] is None
    assert 0.97 * BUDGET_JOULES < seen["spent"] <= BUDGET_JOULES


def test_a_resumed_run_uses_the_same_rates_on_both_ranks(ranks: dict[str, list[dict[str, Any]]]):
    for resumed, whole in zip(ranks["resumed"], ranks["rule"], strict=True):
        assert resumed["used"] == pytest.approx(whole["used"][98:], rel=1e-12, abs=0)


def test_rank_0_alone_says_that_it_lands(ranks: dict[str, list[dict[str, Any]]]):
    text = ranks["said"][0]["text"]
    assert text.count("Landing after epoch") == text.count("Landing in epoch") == 1
    assert text.count("goes on. The learning rate goes to zero") == 1
    assert "Rank 0 decided to land" not in text
