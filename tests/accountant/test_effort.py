"""The steps, samples and tokens that a loop of a user reports, and the energy of each."""

import json

import pytest
from support.thread_ranks import on_ranks

from green_callbacks import EnergyAccountant, read_ledger
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError
from green_callbacks.sources import ScriptedSource

WATTS = 100.0
STEPS = 10
"""Optimizer steps of an epoch, each of 1 s."""


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def new(clock, tmp_path):
    """Make accountants, and close them at the end."""
    made = []

    def new(**options):
        defaults = {"ledger": tmp_path / "run.jsonl", "sinks": [], "carbon_intensity": 1000.0, "pue": 1.0}
        source = ScriptedSource(WATTS, clock=clock)
        made.append(EnergyAccountant(sources=[source], clock=clock, **{**defaults, **options}))
        return made[-1]

    yield new
    for accountant in made:
        accountant.close()


@pytest.fixture
def accountant(new):
    return new()


def steps_of(accountant):
    return [record.steps for record in accountant.history if record.epoch is not None]


def train(accountant, clock, epochs, *, step=0, each=True, samples=None):
    """Train as a plain loop does that counts its steps itself."""
    for epoch in epochs:
        accountant.begin_epoch(epoch)
        for _ in range(STEPS):
            clock.advance(1.0)
            step += 1
            if each:
                accountant.observe(step=step, samples=samples)
        accountant.observe(step=step)
        accountant.end_epoch()
    return step


@pytest.mark.parametrize("each", [True, False])
def test_a_loop_that_reports_its_steps_knows_the_energy_of_each(accountant, clock, each):
    train(accountant, clock, range(3), each=each)

    run = accountant.close()
    assert steps_of(accountant) == [STEPS] * 3
    assert run.effort.joules_per_step.value == pytest.approx(WATTS)
    assert read_ledger(run.ledger).history.effort == run.effort


def test_steps_before_the_first_epoch_of_a_resumed_training_are_not_its_own(accountant, clock):
    train(accountant, clock, range(5, 7), step=5_000)

    assert steps_of(accountant) == [None, STEPS]
    assert accountant.close().effort.joules_per_step.value == pytest.approx(WATTS)


def test_a_loop_may_say_with_how_many_steps_an_epoch_begins(accountant, clock):
    accountant.begin_epoch(5, step=5_000)
    clock.advance(float(STEPS))
    accountant.observe(step=5_000 + STEPS)
    accountant.end_epoch()

    assert steps_of(accountant) == [STEPS]


@pytest.mark.parametrize("step", ["many", -1, float("nan"), float("inf"), 2.0**60])
def test_a_beginning_that_is_no_count_is_not_believed(accountant, clock, step):
    accountant.begin_epoch(1, step=step)
    clock.advance(1.0)
    accountant.observe(step=7)
    accountant.end_epoch()

    assert steps_of(accountant) == [None]


@pytest.mark.parametrize("each", [True, False])
def test_a_second_training_that_counts_from_zero_never_has_negative_steps(accountant, clock, each):
    train(accountant, clock, range(2), each=each)
    train(accountant, clock, range(2), each=each)

    assert steps_of(accountant) == [STEPS, STEPS, STEPS if each else None, STEPS]


def test_steps_that_begin_again_in_each_epoch_still_count(accountant, clock):
    for epoch in range(3):
        train(accountant, clock, [epoch])

    assert steps_of(accountant) == [STEPS] * 3


def test_the_same_step_after_each_epoch_is_said_once_and_not_counted(accountant, clock, caplog):
    for epoch in range(3):
        train(accountant, clock, [epoch], each=False)

    assert steps_of(accountant) == [STEPS, None, None]
    assert caplog.text.count("gave 10 at the end of two epochs") == 1


def test_a_run_that_was_killed_inside_an_epoch_counts_what_each_process_has_done(clock, new):
    first, saved = new(), []

    def killed():
        for epoch in first.epochs(3):
            for number in first.steps(range(STEPS)):
                clock.advance(1.0)
                if epoch == 1 and number == 3:
                    saved.append(json.dumps(first.state_dict()))
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), first:
        killed()
    second = new()
    second.load_state_dict(json.loads(saved[0]))
    with second:
        for _ in second.epochs(3):
            for _ in second.steps(range(STEPS)):
                clock.advance(1.0)

    effort = second.close().effort
    assert effort.steps.units == 3 + 3 * STEPS
    assert effort.joules_per_step.value == pytest.approx(WATTS * 34 / 33)  # one step was lost before it was counted


def test_parts_without_a_count_share_that_of_the_epoch(clock, new):
    accountant = new(decide_every=4, samples_per_epoch=50)
    for epoch in range(2):
        accountant.begin_epoch(epoch)
        for _ in range(STEPS):
            clock.advance(1.0)
            if accountant.end_step():
                accountant.end_part()
        accountant.observe(step=(epoch + 1) * STEPS)
        accountant.end_epoch()

    effort = accountant.close().effort
    assert effort.steps.units == 2 * STEPS
    assert effort.joules_per_step.value == pytest.approx(WATTS)
    assert effort.joules_per_sample.value == pytest.approx(WATTS * STEPS / 50)


def test_validation_is_not_the_energy_of_training(accountant, clock):
    for epoch in range(2):
        accountant.begin_epoch(epoch)
        clock.advance(float(STEPS))
        accountant.observe(step=(epoch + 1) * STEPS)
        with accountant.phase("validation"):
            clock.advance(50.0)
        accountant.end_epoch()

    assert accountant.close().effort.joules_per_step.value == pytest.approx(WATTS)


def test_tokens_and_operations_follow_from_samples(clock, new):
    accountant = new(tokens_per_sample=7.5, flops_per_sample=2e15)
    train(accountant, clock, range(2), samples=4)

    run = accountant.close()
    assert (run.samples, run.tokens, run.flops) == (80, 600, 1.6e17)
    assert run.effort.joules_per_token.value == pytest.approx(WATTS / 30)
    assert run.effort.grams_per_exaflop.value == pytest.approx(20 * WATTS / 3.6e6 * 1000.0 / 0.16)


def test_without_samples_it_is_said_once_that_they_have_no_effect(clock, new, caplog):
    accountant = new(tokens_per_sample=512)
    train(accountant, clock, range(3))

    run = accountant.close()
    assert run.tokens is None
    assert caplog.text.count("the number of samples is not known") == 1
    assert any("the number of samples is not known" in notice for notice in run.notices)


@pytest.mark.parametrize("given", [0, -1, "512", True, float("nan"), float("inf"), 10**400, [1]])
@pytest.mark.parametrize("name", ["tokens_per_sample", "flops_per_sample"])
def test_what_is_no_number_of_a_sample_is_refused(name, given):
    with pytest.raises(ConfigurationError, match=f"{name}= takes the number of"):
        EnergyAccountant(**{name: given})


@pytest.mark.parametrize("starts_again", [True, False])
def test_steps_that_are_counted_from_zero_are_said_once_and_not_believed(accountant, clock, caplog, starts_again):
    for epoch in range(3):
        accountant.begin_epoch(epoch)
        for number in range(STEPS):
            clock.advance(1.0)
            accountant.observe({"loss": 1.0}, step=number if starts_again else epoch * STEPS + number)
        accountant.end_epoch()

    assert steps_of(accountant) == ([None] * 3 if starts_again else [None, STEPS, STEPS])
    assert caplog.text.count("began with 0") == 1


def test_a_loop_may_report_the_steps_before_an_epoch_and_after_it(accountant, clock, caplog):
    for epoch in range(2):
        accountant.begin_epoch(epoch)
        accountant.observe(step=STEPS * epoch)
        clock.advance(float(STEPS))
        accountant.observe(step=STEPS * (epoch + 1))
        accountant.end_epoch()

    assert steps_of(accountant) == [STEPS, STEPS]
    assert not caplog.text


def test_a_second_count_beside_steps_is_said_once(accountant, clock, caplog):
    taken = 0
    for _ in accountant.epochs(3):
        for number in accountant.steps(range(8)):
            clock.advance(1.0)
            taken += number % 4 == 3
            if number % 4 == 3:
                accountant.observe(step=taken)

    assert steps_of(accountant) == [None] * 3
    assert caplog.text.count("counts each batch as a step") == 1


def test_batches_of_a_validation_are_no_steps(accountant, clock):
    for _ in accountant.epochs(2):
        for number in accountant.steps(range(STEPS)):
            clock.advance(1.0)
            if number == STEPS // 2:
                with accountant.phase("validation"):
                    for _ in accountant.steps(range(3)):
                        clock.advance(1.0)

    assert steps_of(accountant) == [STEPS, STEPS]
    assert accountant.close().effort.joules_per_step.value == pytest.approx(WATTS)


def test_two_passes_in_an_epoch_count_the_steps_of_both(accountant, clock):
    for _ in accountant.epochs(3):
        for length in (3, 2):
            for _ in accountant.steps(range(length)):
                clock.advance(1.0)

    assert steps_of(accountant) == [5, 5, 5]


def test_steps_without_any_energy_of_training_have_no_ratio(accountant, clock):
    accountant.begin_epoch(0)
    with accountant.phase("validation"):
        clock.advance(1.0)
    accountant.observe(step=STEPS)
    accountant.end_epoch()

    assert accountant.close().effort.ratios() == {}


def test_a_count_of_one_process_alone_is_said_to_be_lost(caplog):
    def body(ranks):
        clock = ScriptedClock()
        source = ScriptedSource(WATTS, clock=clock)
        accountant = EnergyAccountant(sources=[source], clock=clock, ledger=False, sinks=[], carbon_intensity=400.0)
        accountant.start(ranks=ranks)
        for epoch in range(2):
            accountant.begin_epoch(epoch)
            clock.advance(1.0)
            accountant.observe(samples=5, tokens=7 if ranks.rank == 0 else None)
            accountant.end_epoch()
        return accountant.close()

    run, _ = on_ranks(2, body)
    assert (run.samples, run.tokens) == (20, None)
    assert caplog.text.count("Not every process reported tokens") == 1
    assert run.effort.joules_per_token is None


def test_a_step_of_the_user_is_no_count_where_a_framework_counts(accountant, clock):
    accountant.start(is_running=lambda: True)
    for epoch in range(3):
        accountant.begin_epoch(epoch, step=STEPS * epoch)
        for number in range(STEPS):
            clock.advance(1.0)
            accountant.observe({"loss": 1.0}, step=number)
        accountant.count(step=STEPS * (epoch + 1))
        accountant.end_epoch()

    assert steps_of(accountant) == [STEPS] * 3
