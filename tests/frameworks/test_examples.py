import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.warm_python import run_script

from green_callbacks import read_ledger

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(arguments, folder):
    done = run_script(arguments, folder)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("framework", ["lightning", "keras"])
def test_a_demo_stops_by_a_rule_and_answers_the_four_questions(framework, tmp_path):
    printed = run([EXAMPLES / f"{framework}_digits.py"], tmp_path).stdout

    epochs = [line for line in printed.splitlines() if line.split()[:1] and line.split()[0].isdigit()]
    assert 10 <= len(epochs) < 60, "stopped early, but not before it had learned"
    assert " gained " in printed, "the reason is MarginalGain's"
    for answer in ("Place", "Facility", "Time", "Data"):
        assert any(line.startswith(answer) for line in printed.splitlines()), answer
    folder = printed.split("tensorboard --logdir ")[1].strip()
    assert len(list((tmp_path / folder).rglob("events.out.tfevents.*"))) == 1
    assert len(list((tmp_path / folder).glob("**/green-callbacks/*.jsonl"))) == 1, "where project budgets look"


def test_a_plain_loop_stops_and_names_its_ledger(tmp_path):
    printed = run([EXAMPLES / "plain_pytorch.py"], tmp_path).stdout

    assert " gained " in printed
    assert list((tmp_path / "green-callbacks").glob("*.jsonl"))


def test_lightning_cli_takes_every_option_from_yaml(tmp_path):
    done = run([EXAMPLES / "lightning_cli.py", "--config", EXAMPLES / "lightning_cli.yaml"], tmp_path)

    assert "Stopping after epoch" in done.stderr
    (ledger,) = tmp_path.glob("**/green-callbacks/*.jsonl")
    assert '"zone":"SE"' in ledger.read_text()
    assert '"pue":1.1' in ledger.read_text()


def test_a_plain_loop_lands_before_it_stops(tmp_path):
    done = run([EXAMPLES / "landing_loop.py"], tmp_path)

    pattern = r"^(\d+) of 60 epochs\. (.*)\nval_acc: (0\.\d+)$"
    epochs, reason, value = re.search(pattern, done.stdout, re.MULTILINE).groups()
    assert 10 <= int(epochs) <= 60, "how soon it stops depends on what this machine measures"
    assert ("went to zero before the stop" in reason) == ("Landing after epoch" in done.stderr)
    assert float(value) > 0.9
    (ledger,) = (tmp_path / "green-callbacks").glob("*.jsonl")
    assert ('"landing":{' in ledger.read_text()) == ("Landing after epoch" in done.stderr)


@pytest.mark.parametrize("framework", ["lightning", "keras", "loop"])
def test_an_example_with_averaged_weights_ends_with_an_average_that_has_learned(framework, tmp_path):
    printed = run([EXAMPLES / f"averaged_weights_{framework}.py"], tmp_path).stdout

    pattern = r"^(\d+) of 60 epochs\..*\nval_acc.* average.*: (0\.\d+)$"
    epochs, value = re.search(pattern, printed, re.MULTILINE).groups()
    assert 10 <= int(epochs) <= 60, "how soon it stops depends on what this machine measures"
    assert float(value) > 0.95
    assert list((tmp_path / "green-callbacks").glob("*.jsonl"))


@pytest.mark.parametrize("kind", ["torchrun", "fabric"])
def test_two_processes_are_one_run_and_stop_together(kind, tmp_path):
    torchrun = Path(find_spec("torch").origin).parent / "distributed" / "run.py"
    launcher = [torchrun, "--standalone", "--nproc-per-node", "2"] if kind == "torchrun" else []
    done = run([*launcher, EXAMPLES / f"{kind}_digits.py"], tmp_path)

    reasons = re.findall(r"^Rank \d stops\. (.*)$", done.stdout, re.MULTILINE)
    assert len(reasons) == 2
    is_stopped = "Stopping after epoch" in done.stderr  # how soon depends on what this machine measures
    assert ("Rank 0 decided to stop." in reasons) == is_stopped == ("None" not in reasons)
    (ledger,) = (tmp_path / "green-callbacks").glob("*.jsonl")
    epochs = int(re.search(r"^(\d+) of 60 epochs", done.stdout, re.MULTILINE)[1])
    history = read_ledger(ledger).history
    assert 10 <= history.finished_epochs == epochs <= 60
    assert {record.samples for record in history if record.epoch is not None} == {1400}
    assert "WARNING" not in done.stderr


SHORTER = f"""
import sys

sys.path.append({str(EXAMPLES)!r})
import several_runs

several_runs.EPOCHS = 6
several_runs.main()
"""


def test_several_runs_can_be_compared_on_one_page(tmp_path):
    script = tmp_path / "shorter.py"
    script.write_text(SHORTER)
    printed = run([script], tmp_path).stdout

    logs = printed.split("tensorboard --logdir ")[1].strip()
    command = [sys.executable, "-m", "green_callbacks.cli", "report", logs, "--output", "report.html"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True)
    assert "Wrote 9 runs" in done.stdout
    assert "width_512_rate_0.01" in (tmp_path / "report.html").read_text()


def test_each_candidate_of_a_search_with_skorch_is_a_run(tmp_path):
    pytest.importorskip("skorch")
    printed = run([EXAMPLES / "skorch_search.py"], tmp_path).stdout

    trainings, epochs = re.search(r"^(\d) trainings of \[(.*)\] epochs", printed, re.MULTILINE).groups()
    assert trainings == "5", "two folds of two candidates, and the best one on all data"
    assert len(epochs.split(", ")) == len(list((tmp_path / "green-callbacks").glob("*.jsonl"))) == 5
    assert float(printed.split("val_acc ")[1]) > 0.5


def test_a_training_with_fastai_stops(tmp_path):
    pytest.importorskip("fastai", reason="fastai comes with torchvision, pandas and spaCy, which no other test needs")
    printed = run([EXAMPLES / "fastai_digits.py"], tmp_path).stdout

    assert 3 <= int(re.search(r"^(\d+) epochs of 40", printed, re.MULTILINE)[1]) <= 40
    assert len(list((tmp_path / "green-callbacks").glob("*.jsonl"))) == 1


def test_a_search_with_keras_tuner_keeps_to_its_budget(tmp_path):
    pytest.importorskip("keras_tuner")
    printed = run([EXAMPLES / "keras_tuner_search.py"], tmp_path).stdout

    trials, joules = re.search(r"^(\d+) trials, ([\d.]+) J of 100 J", printed, re.MULTILINE).groups()
    assert 1 <= int(trials) < 50
    assert float(joules) <= 130, "a budget is asked every few batches, and a refused trial has its start"
    ledgers = len(list((tmp_path / "green-callbacks").glob("*.jsonl")))
    assert ledgers - int(trials) in (0, 1), "the last one may be refused, or ended by the budget"


def test_a_report_on_the_data_finds_wrong_labels(tmp_path):
    printed = run([EXAMPLES / "data_report.py"], tmp_path).stdout

    found, right = map(int, re.search(r"\n(\d+) samples look mislabeled, and (\d+) of them are", printed).groups())
    assert found > 200
    assert right >= 0.9 * found
    assert "of the visits went to samples that were known already" in " ".join(printed.split())
    assert len(list((tmp_path / "green-callbacks").glob("*.data.json"))) == 1


def test_every_example_is_tested():
    assert {path.name for path in EXAMPLES.glob("*.*")} == {
        "accelerate_digits.py",  # by the tests of transformers, where Accelerate is
        "averaged_weights_keras.py",
        "averaged_weights_lightning.py",
        "averaged_weights_loop.py",
        "data_report.py",
        "fabric_digits.py",
        "fastai_digits.py",
        "keras_digits.py",
        "keras_tuner_search.py",
        "landing_loop.py",
        "lightning_cli.py",
        "lightning_cli.yaml",
        "lightning_digits.py",
        "mlflow_loop.py",
        "optuna_search.py",  # by the tests of Optuna
        "plain_pytorch.py",
        "ray_train_lightning.py",  # by the tests of Ray
        "ray_tune_search.py",
        "several_runs.py",
        "skorch_search.py",
        "slurm_array.py",  # by the tests of Slurm
        "slurm_array.sh",
        "torchrun_digits.py",
        "transformers_finetune.py",
    }
