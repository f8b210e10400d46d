import pytest

from green_callbacks.ledger import Head, Lines
from green_callbacks.records import DeviceEnergy, EpochRecord


def test_the_model_cards_metadata(command, ledger):
    status, out, err = command(
        "export", ledger("one"), "--format", "model-card", "--training-type", "pre-training", "--hardware", "1 x H100"
    )

    assert (status, err) == (0, "")
    head, emissions, source, *rest = out.splitlines()
    assert (head, emissions) == ("co2_eq_emissions:", "  emissions: 65.0")
    assert source.startswith('  source: "green_callbacks ')
    assert rest == ['  training_type: "pre-training"', '  hardware_used: "1 x H100"']


def test_runs_in_codecarbons_columns(command, ledger):
    ledger("one")
    folder = ledger("two").parent

    _, out, _ = command("export", folder, "--format", "codecarbon-csv", "--project", "digits")

    head, *rows = out.splitlines()
    assert head.count(",") == 37
    assert len(rows) == 2
    assert all(",digits," in row for row in rows)


def test_a_paragraph_for_each_run(command, ledger):
    paths = ledger("one"), ledger("two", location="DE", carbon_intensity=None)

    _, out, _ = command("export", *paths, "--format", "methods")

    first, second = out.split("\n\n")
    assert "source: given by the user" in first
    assert "330 gCO2e/kWh" in second


def test_a_file_in_place_of_the_terminal(command, ledger, tmp_path):
    path, target = ledger("one"), tmp_path / "emissions.csv"
    _, shown, _ = command("export", path, "--format", "codecarbon-csv")

    status, out, _ = command("export", path, "--format", "codecarbon-csv", "--output", target)

    assert (status, out) == (0, "")
    assert target.read_text() == shown


def test_a_file_that_cannot_be_written_is_an_error(command, ledger, tmp_path):
    status, _, err = command("export", ledger("one"), "--format", "methods", "--output", tmp_path / "none" / "a.md")
    assert status == 2
    assert "cannot be written" in err


def test_a_ledger_is_never_written_over(command, ledger):
    path = ledger("one")
    before = path.read_bytes()

    status, _, err = command("export", path, "--format", "methods", "--output", path)

    assert status == 2
    assert "is the ledger of a run" in err
    assert path.read_bytes() == before


@pytest.mark.parametrize("options", [["--card", "README.md"], ["--training-type", "fine-tuning"], ["--hardware", "x"]])
def test_options_of_the_model_card_are_refused_elsewhere(command, ledger, options):
    status, _, err = command("export", ledger("one"), "--format", "methods", *options)
    assert status == 2
    assert f"{options[0]} is only for --format model-card" in err


def test_a_project_is_codecarbons(command, ledger):
    assert command("export", ledger("one"), "--format", "model-card", "--project", "x")[0] == 2


def test_a_card_and_a_file_exclude_each_other(command, ledger):
    with pytest.raises(SystemExit):
        command("export", ledger("one"), "--format", "model-card", "--card", "a.md", "--output", "b.md")


def test_a_card_is_of_one_run(command, ledger):
    status, _, err = command("export", ledger("one"), ledger("two"), "--format", "model-card")
    assert status == 2
    assert "2 runs" in err


def test_a_run_without_an_end_is_said_to_be_one(command, ledger):
    path = ledger("killed")
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-3]))

    status, out, err = command("export", path, "--format", "methods")

    assert status == 0
    assert "was killed or is still running" in err
    assert "epochs" in out


@pytest.mark.parametrize(("device", "is_said"), [("gpu:0", True), ("gpu:1", False)])
def test_runs_that_measured_a_device_together_are_said(command, tmp_path, device, is_said):
    for run_id, name in {"a": "gpu:0", "b": device}.items():
        lines = Lines()
        head = lines.head(Head(run_id=run_id, version="1", host="node01", process=f"process of {run_id}"))
        row = EpochRecord.scripted(epoch=0, emissions_kg=0.2)
        row = row._replace(devices={name: DeviceEnergy(100.0, "gpu", "counter", row.duration_seconds)})
        (tmp_path / f"{run_id}.jsonl").write_bytes(head + lines.record(row))
    _, _, err = command("export", tmp_path, "--format", "codecarbon-csv")
    assert ("2 runs measured a device that another process measured at the same time" in err) == is_said
