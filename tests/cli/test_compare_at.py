"""What a comparison at the same energy refuses, without any library."""

import pytest


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--against", "b"], "The comparison needs a quality. Name it with --reach, or compare with --at-equal-energy"),
        (["--against", "b", "--at", "1 kWh", "--monitor", "acc", "--gate", "+5 %"], "Name it with --reach as well"),
        (["--at-equal-energy"], "A comparison needs other runs. Name them with --against, or runs of fewer epochs"),
        (
            ["--reach", "acc=0.9", "--monitor", "loss"],
            "--reach is about acc, and --monitor about loss. Name one metric.",
        ),
    ],
)
def test_what_is_missing_is_said_before_ledgers_are_read(command, arguments, reason):
    status, out, err = command("compare", "a", *arguments)
    assert (status, out) == (2, "")
    assert reason in err


def test_the_amount_is_given_once(command, capsys):
    with pytest.raises(SystemExit):
        command("compare", "a", "--against", "b", "--at", "1 kWh", "--at-equal-energy")
    assert "not allowed with argument --at" in capsys.readouterr().err


def test_runs_without_a_metric_need_one(command, ledger):
    one, other = ledger("one", metrics=None), ledger("two", metrics=None)
    status, _, err = command("compare", one, "--against", other, "--at-equal-energy")
    assert status == 2
    assert "No run of the first side watched a metric. Name the metric with --monitor" in err
