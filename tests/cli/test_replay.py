import pytest

from green_callbacks import CarbonBudget, read_ledger, replay
from green_callbacks.ledger import Head, Lines
from green_callbacks.records import DeviceEnergy, EpochRecord


def rising(epoch):
    return {"val_acc": 0.9 - 0.5 * 0.5**epoch, "val_loss": 1.0 / (epoch + 1)}


def fields(out):
    return {line.split()[0]: line for line in out.splitlines()}


def test_a_budget_is_replayed_to_the_figures_of_the_ledger(command, ledger):
    path = ledger("one", metrics=rising)  # 5 g each minute

    status, out, err = command("replay", path, "--policy", "budget=22 g")

    stop = replay(read_ledger(path).history, CarbonBudget("22 g"))
    assert (status, err) == (0, "")
    assert stop.record.epoch == 3
    assert "After 4 of 12 epochs" in out
    assert stop.verdict.reason.split(",")[0] in " ".join(out.split())
    assert "40.0 Wh, 40.0 g CO2e and 8 min 0 s, 62 % of the emissions" in fields(out)["Saved"]
    assert "0.0623, val_acc 0.8375 instead of 0.8998" in fields(out)["Lost"]


def test_without_a_rule_it_is_the_marginal_gain_of_the_first_validation_metric(command, ledger):
    _, out, _ = command("replay", ledger("one", epochs=20, metrics=rising), "--epochs", "20")

    assert "marginal-gain:val_acc" in fields(out)["Rule"]
    assert "A doubling of the energy must gain" in out
    assert "of 20 epochs" in fields(out)["Stop"]
    assert fields(out)["Saved"]


def test_the_plan_arms_the_rule(command, ledger):
    path = ledger("short", epochs=8, metrics=lambda epoch: {"val_acc": 0.5})

    assert "None in 8 epochs" in command("replay", path)[1]
    assert "No plan is known" in command("replay", path)[1]
    assert "of 8 epochs" in fields(command("replay", path, "--epochs", "8", "--policy", "marginal-gain")[1])["Stop"]


def test_a_rule_that_would_not_have_stopped_says_why_not(command, ledger):
    status, out, _ = command("replay", ledger("one", metrics=rising), "--policy", "budget=1 kg")

    assert status == 0
    assert "None in 12 epochs" in out
    assert "are left" in out
    assert "Saved" not in out


def test_a_stop_after_the_best_value_loses_nothing(command, ledger):
    path = ledger("one", metrics=lambda epoch: {"val_acc": 0.9 if epoch == 1 else 0.8})

    assert (
        "nothing, because the best value, val_acc 0.9000"
        in fields(command("replay", path, "--policy", "budget=22 g")[1])["Lost"]
    )


def test_what_follows_the_last_epoch_is_not_saved(command, ledger):
    out = command("replay", ledger("one", metrics=rising), "--policy", "budget=59 g,hard=false")[1]

    assert "After 12 of 12 epochs" in out
    assert "Saved      0.00 J" in out


def test_the_metric_that_is_lost_can_be_named(command, ledger):
    path = ledger("one", metrics=rising)

    out = command("replay", path, "--policy", "budget=22 g", "--monitor", "val_loss")[1]

    assert "val_loss 0.2500 instead of 0.08333" in out


def test_without_a_metric_the_loss_is_not_known(command, ledger):
    path = ledger("one", metrics=None)

    assert "not known" in fields(command("replay", path, "--policy", "budget=22 g")[1])["Lost"]


def test_a_run_of_which_nothing_was_measured_saves_an_unknown_share(command, ledger):
    from green_callbacks import MarginalGain
    from green_callbacks.analysis.replays import Rule, replayed
    from green_callbacks.cli.replay.outcomes import in_words
    from green_callbacks.cli.runs import read_runs
    from green_callbacks.records import Plan

    [run] = read_runs([ledger("one", carbon_intensity=0.0, metrics=rising)])
    outcome = replayed(run, Rule.parse("budget=22 Wh"), Plan(), None)

    assert isinstance(Rule.parse("marginal-gain:val_acc").on(run, None), MarginalGain)
    assert "an unknown share" in in_words(outcome)


def test_several_runs_and_rules_stand_side_by_side_with_sums(command, ledger):
    first, second = ledger("a", metrics=rising), ledger("b", epochs=2, metrics=None)

    status, out, _ = command("replay", first, second, "--policy", "budget=22 g", "--policy", "budget=1 kg")

    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert status == 0
    assert rows[0] == "run rule stops after kWh g CO2e time share reached lost"
    assert rows[2].partition(" ")[2] == "budget=22 g 4 of 12 0.0400 40.0 8 min 0 s 62 % val_acc 0.8375 0.0623"
    assert "budget=1 kg no stop in 12" in rows[3]
    assert rows[4].partition(" ")[2] == "budget=22 g no stop in 2 0.00 0.00 0.00 s 0 % - -"
    assert rows[6] == "2 runs budget=22 g 1 stopped 0.0400 40.0 8 min 0 s 50 %"
    assert rows[7].startswith("2 runs budget=1 kg 0 stopped")


def test_a_ledger_without_an_epoch_is_replayed_to_nothing(command, ledger):
    path = ledger("empty")
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])

    assert "None in 0 epochs" in command("replay", path, "--policy", "budget=22 g")[1]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("frugality", "Cannot read 'frugality' as a policy"),
        ("budget", "Write budget='500 g'"),
        ("budget=12 parsecs", "Cannot read '12 parsecs' as an amount"),
        ("budget=5 g,soft=true", "has no option 'soft'"),
        ("budget=5 g,warn_at=0.5", "has no option 'warn_at'"),
        ("budget=5 g,hard=perhaps", "must be true or false"),
        ("marginal-gain:val_acc,acceptable=high", "must be a number"),
        ("marginal-gain:val_acc,min_gain_per_kg=-1", "must be 0 or more"),
        ("marginal-gain:val_acc,on_annealing=cry", "Write 'hold' or 'stop'"),
        ("marginal-gain:val_acc,report_only=true", "has no option 'report_only'"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_before_a_ledger_is_read(command, rule, said):
    status, out, err = command("replay", "nowhere.jsonl", "--policy", rule)

    assert (status, out) == (2, "")
    assert said in err


def test_every_option_of_a_rule_can_be_written(command, ledger):
    rule = (
        "marginal-gain:val_acc,min_gain_per_kg=0.05,mode=max,acceptable=0.8,not_learning_after=none,on_annealing=stop"
    )

    status, out, _ = command("replay", ledger("one", metrics=rising), "--policy", rule)

    assert status == 0
    assert rule in "".join(out.split())


def test_quotes_that_a_shell_left_are_no_part_of_the_amount(command, ledger):
    assert command("replay", ledger("one"), "--policy", 'budget="22 g"')[0] == 0


def test_a_run_without_a_validation_metric_is_asked_for_one(command, ledger):
    path = ledger("one", metrics=lambda epoch: {"accuracy": 0.5})

    status, _, err = command("replay", path)
    assert status == 2
    assert "Name its metric" in err
    assert "accuracy" in err
    assert command("replay", path, "--monitor", "accuracy")[0] == 0


@pytest.mark.parametrize("epochs", ["0", "-3", "many"])
def test_a_plan_of_no_epochs_is_refused(command, ledger, epochs):
    with pytest.raises(SystemExit):
        command("replay", ledger("one"), "--epochs", epochs)


def test_a_stop_at_a_metric_that_is_not_a_number_is_found(ledger, command):
    path = ledger("nan", metrics=lambda epoch: {"val_acc": float("nan") if epoch == 3 else 0.5})
    status, out, err = command("replay", path, "--policy", "budget=20 g")
    assert (status, err) == (0, "")
    assert "After 4 of 12 epochs" in out


def test_devices_that_several_processes_measured_are_said(command, tmp_path):
    for run_id in ("a", "b"):
        lines = Lines()
        head = lines.head(Head(run_id=run_id, version="1", host="node01", process=f"process of {run_id}"))
        rows = [EpochRecord.scripted(epoch=at, emissions_kg=0.2, metrics={"val_acc": 0.5}) for at in range(3)]
        device = {"gpu:0": DeviceEnergy(100.0, "gpu", "counter", 60.0)}
        written = b"".join(lines.record(row._replace(devices=device)) for row in rows)
        (tmp_path / f"{run_id}.jsonl").write_bytes(head + written)
    _, out, _ = command("replay", tmp_path, "--policy", "marginal-gain:val_acc")
    assert "2 runs measured a device that another process measured at the same time. The sums count it" in out
