"""What makes a comparison unfair is said, and what is alike is not."""

from pathlib import Path

import pytest
from support.reaching_runs import TARGET, reached

from green_callbacks.analysis.comparing import ComparedRun, Group, RunConditions, RunPoint, RunPoints
from green_callbacks.analysis.comparing.equal_quality import Side, Target
from green_callbacks.analysis.comparing.equal_quality.fairness import unlike
from green_callbacks.metrics import Metric


def said(first, second, labels=(None, None), **options):
    """The sentences about two sides of three runs with such conditions."""
    sides = []
    for name, facts, own in zip(("new", "old"), (first, second), labels, strict=True):
        runs = reached(name, 1.0, 1.1, 1.2, conditions=RunConditions(**facts), **({"labels": own} if own else {}))
        sides.append(Side.of(runs, TARGET))
    return unlike(*sides, **options)


ALIKE = {
    "gpus": {"NVIDIA A100": 1},
    "components": frozenset({"gpu", "cpu"}),
    "modelled_share": 0.1,
    "throttled_share": 0.0,
    "pue": 1.2,
    "g_per_kwh": 330.0,
    "hosts": frozenset({"node"}),
    "versions": {"torch": "2.9"},
    "planned_epochs": 10,
    "epoch_samples": 1000,
}


def test_nothing_is_said_of_what_is_alike_or_unknown():
    assert said(ALIKE, ALIKE) == []
    assert said({}, {}) == []
    assert said(ALIKE, {}) == []


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        (
            {"gpus": {"NVIDIA H100": 2}},
            {},
            "The GPUs differ. new has 2 NVIDIA H100 and old has 1 NVIDIA A100.",
        ),
        (
            {"components": frozenset({"gpu"})},
            {},
            "The counted devices differ. new has the GPU and old has the CPU and GPU.",
        ),
        ({"hosts": frozenset({"laptop"})}, {}, "The machines differ. new has laptop and old has node."),
        (
            {"modelled_share": 1.0},
            {"modelled_share": 0.0},
            "A model gives 100 % of the energy of new and 0 % of that of old. Sensors measured the rest.",
        ),
        (
            {"modelled_share": 0.9},
            {"modelled_share": 0.9},
            "Most of the energy comes from a model on both sides, which may not see a small difference.",
        ),
        (
            {"throttled_share": 0.23},
            {},
            "The GPUs of new were throttled for 23 % of the time and those of old for 0 %.",
        ),
        ({"limit_watts": 200.0}, {"limit_watts": 400.0}, "The power limits of the GPUs differ (200 against 400 W)."),
        (
            {"first_epoch": 7},
            {"first_epoch": 1},
            "Earlier costs are missing, because 3 of the 3 runs of new began later than in the first epoch.",
        ),
        (
            {"pue": 1.5},
            {},
            (
                "The PUE differs (1.50 against 1.20). It changes only the emissions. At the same intensity and PUE, "
                "emissions differ as the energy does."
            ),
        ),
        (
            {"g_per_kwh": 41.4},
            {},
            (
                "The carbon intensity differs (41.4 against 330 g/kWh). It changes only the emissions. At the same "
                "intensity and PUE, emissions differ as the energy does."
            ),
        ),
        ({"versions": {"torch": "2.8"}}, {}, "Versions differ (torch 2.8 against 2.9)."),
        ({"planned_epochs": 5}, {}, "The planned epochs differ. new has 5 and old has 10."),
        ({"epoch_samples": 500}, {}, "The samples of an epoch differ (500 against 1,000)."),
        (
            {"unmeasured": frozenset({"gpu"})},
            {},
            "An accelerator was not measured in 3 of the 3 runs of new, and its energy is missing.",
        ),
        (
            {"shared": frozenset({"gpu"})},
            {},
            "Other processes used the GPU of 3 of the 3 runs of new at the same time.",
        ),
        ({"repeated_kwh_share": 0.2}, {}, "Repeated epochs took 20 % of the energy of new, which counts."),
        (
            {"fits": True},
            {},
            "Several models were trained in 3 of the 3 runs of new. The first that is good enough counts.",
        ),
    ],
)
def test_each_unfair_condition_is_one_finding(first, second, sentence):
    assert said({**ALIKE, **first}, {**ALIKE, **second}) == [sentence]


def test_sides_of_one_kind_in_other_shares_are_unlike():
    mixed = reached("new", 1.0, 1.1, 1.2, conditions=RunConditions(gpus={"A": 1}))
    runs = list(mixed.runs)
    runs[0] = reached("new", 1.0, conditions=RunConditions(gpus={"B": 1})).runs[0]
    sides = [Side.of(type(mixed)(name, each), TARGET) for name, each in (("new", runs), ("old", mixed.runs))]
    assert unlike(*sides) == ["The GPUs differ. new has 1 A in 2 runs, 1 B in 1 run and old has 1 A."]


def test_other_labels_are_listed_but_not_those_that_chose_the_runs():
    labels = {"method": "new", "lr": "0.1"}, {"method": "old", "lr": "0.3"}
    assert said({}, {}, labels) == ["Labels differ (lr 0.1 against 0.3, method new against old)."]
    assert said({}, {}, labels, chosen_by={"method"}) == ["Labels differ (lr 0.1 against 0.3)."]


def test_runs_of_one_seed_are_said():
    seeds = {"seed": "1"}
    assert said({}, {}, (seeds, seeds)) == [
        "All runs of new have the seed 1, so they show too little chance.",
        "All runs of old have the seed 1, so they show too little chance.",
    ]


def test_time_without_a_measurement_is_said():
    sides = [Side.of(reached(name, 1.0, unmeasured_share=share), TARGET) for name, share in (("a", 0.3), ("b", 0.0))]
    assert unlike(*sides) == ["Up to 30 % of the time of the run of a was not measured."]


def measured(name, epochs, cost=1.0):
    """Three runs of ten epochs, whose quality was measured in some of them."""
    points = RunPoints([RunPoint(at, at / 10, (at + 1) * cost, 0.1, 60.0 * at) for at in epochs])
    path = Path(f"{name}.jsonl")
    runs = [ComparedRun(run_id=f"{name}-{at}", path=path, points=points, kwh=10.0 * cost) for at in range(3)]
    return Side.of(Group(name, runs), Target(Metric("val_acc", "max"), 0.45))


def test_rare_values_put_a_side_behind():
    often, rarely = measured("often", range(10)), measured("rarely", [4, 9])
    said_of = "Quality was measured every epoch in often and every 5 epochs in rarely."
    assert unlike(often, rarely) == [f"{said_of} On average this alone puts rarely 2 epochs behind."]
    assert unlike(rarely, often)[0].endswith("this alone puts rarely 2 epochs behind.")
    once = measured("once", [9])
    assert "every 10 epochs in once" in unlike(often, once)[0]


def test_values_of_every_epoch_are_alike_whatever_an_epoch_costs():
    assert unlike(measured("cheap", range(10)), measured("dear", range(10), cost=2.0)) == []
    assert unlike(measured("none", []), measured("often", range(10))) == []
