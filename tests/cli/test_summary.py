import pytest

WH = 300.0 / 60  # of a minute
TOTAL_WH = 13 * WH


def lines(text):
    return [line.split() for line in text.splitlines()]


def test_one_ledger_gives_the_summary_of_its_run(command, ledger):
    path = ledger("one")

    status, out, err = command("summary", path)

    assert (status, err) == (0, "")
    assert "Ended after 12 epochs in 13 min 0 s" in out
    assert f"{TOTAL_WH:.1f} Wh" in out
    assert f"{TOTAL_WH:.1f} g CO2e" in out
    assert "PUE 1.00 (argument)" in " ".join(out.split())
    assert "point of val_acc" in out
    assert str(path) in out


def test_it_is_what_the_run_itself_would_have_said(command, ledger):
    from green_callbacks import MarginalGain, Summary

    said = []
    path = ledger("one", policies=[MarginalGain("val_acc")], sinks=[Summary(said.append)])

    _, out, _ = command("summary", path)

    assert out.split("\n\n", 1)[1].split() == said[0].split()


def test_several_stand_side_by_side_with_their_sum(command, ledger):
    first, second = ledger("first"), ledger("second", epochs=3, location="DE", carbon_intensity=None)

    status, out, _ = command("summary", first, second)

    assert status == 0
    head, _, one, other, both = lines(out)[:5]
    assert head == ["run", "epochs", "time", "kWh", "g", "CO2e", "at", "world's", "place", "best"]
    assert one[1:7] == ["12", "13", "min", "0", "s", "0.0650"]
    assert one[-2:] == ["val_acc", "0.8998"]
    assert other[1:7] == ["3", "4", "min", "0", "s", "0.0200"]
    assert "Germany (DE)" in out
    assert both[:9] == ["2", "runs", "15", "17", "min", "0", "s", "0.0850", "71.6"]
    assert both[9] == "39.0"  # as much at the world's average


def test_a_folder_stands_for_all_its_ledgers(command, ledger):
    ledger("a")
    folder = ledger("b").parent
    (folder / "notes.txt").write_text("not a ledger")

    status, out, _ = command("summary", folder)

    assert status == 0
    assert "2 runs" in out


def test_a_folder_without_ledgers_is_refused(command, tmp_path):
    status, _, err = command("summary", tmp_path)
    assert status == 2
    assert "There is no ledger (*.jsonl)" in err


def test_a_killed_run_counts_up_to_its_last_record(command, ledger, capsys):
    path = ledger("killed")
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-3]) + whole[-3][:40])  # in the middle of a line, and never closed

    status, out, _ = command("summary", path)

    assert status == 0
    finished = sum(line.startswith(b'{"type":"record"') for line in whole[:-3])
    assert f"{finished} epochs" in out


def test_a_run_killed_at_once_is_still_a_row(command, ledger):
    path = ledger("killed")
    path.write_bytes(path.read_bytes()[:10])

    status, out, _ = command("summary", path, ledger("whole"))

    assert status == 0
    assert lines(out)[2] == ["killed", "0", "0.00", "s", "-", "-", "-", "-", "-"]


def test_the_metric_is_as_asked_for(command, ledger):
    metrics = {"metrics": lambda epoch: {"val_acc": 0.5, "train_loss": 1 / (epoch + 1), "x": float(epoch)}}
    both = ledger("one", **metrics), ledger("two", **metrics)

    assert "train_loss 0.08333" in command("summary", *both, "--monitor", "train_loss")[1]
    assert "x 11.00" in command("summary", *both, "--monitor", "x", "--mode", "max")[1]
    assert "x 0.000" in command("summary", *both, "--monitor", "x", "--mode", "min")[1]


def test_a_metric_that_does_not_tell_its_mode_is_asked_about_only_where_it_was_named(command, ledger):
    path = ledger("one", metrics=lambda epoch: {"val_x": float(epoch)})

    assert command("summary", path)[0] == 0
    status, _, err = command("summary", path, "--monitor", "val_x")
    assert status == 2
    assert "Add --mode max or --mode min" in err


@pytest.mark.parametrize("metric", [float("nan"), float("inf")])
def test_a_metric_without_a_finite_value_has_no_best(command, ledger, metric):
    options = {"epochs": 2, "metrics": lambda epoch: {"val_acc": metric}}

    assert lines(command("summary", ledger("one", **options), ledger("two", **options))[1])[2][-1] == "-"
