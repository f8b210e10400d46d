import signal
from pathlib import Path

import pytest
from frameworks.slurm.stand_in import Slurm, kill_all, output_of, wait_for_epoch

from green_callbacks import read_ledger

pytest.importorskip("torch")
EXAMPLES = Path(__file__).parents[3] / "examples"


def array(folder, budget="20 Wh", epochs=8):
    """The example with another budget and fewer epochs."""
    text = (EXAMPLES / "slurm_array.py").read_text()
    assert 'BUDGET = "20 Wh"\nEPOCHS = 30' in text
    (folder / "slurm_array.py").write_text(
        text.replace('BUDGET = "20 Wh"\nEPOCHS = 30', f'BUDGET = "{budget}"\nEPOCHS = {epochs}')
    )
    (folder / "slurm_array.sh").write_text((EXAMPLES / "slurm_array.sh").read_text())
    return Slurm(folder, folder / "slurm_array.sh")


def test_a_task_that_is_signaled_and_killed_goes_on_with_its_totals(tmp_path):
    slurm, checkpoint = array(tmp_path), tmp_path / "array_4700" / "task_0.pt"
    ledger = tmp_path / "array_4700" / "task_0.jsonl"

    job = slurm.start(0)
    saved = wait_for_epoch(checkpoint)
    job.send_signal(signal.SIGUSR1)  # --signal=B:USR1@60
    printed = output_of(job)
    assert job.returncode == 0, printed
    assert slurm.requeued == ["requeue 4701"], printed
    signaled = read_ledger(ledger)

    job = slurm.start(0)
    wait_for_epoch(checkpoint, max(saved, checkpoint.stat().st_mtime))
    kill_all(job)  # the node fails, and Slurm requeues by itself
    killed = read_ledger(ledger)

    printed = output_of(slurm.start(0))
    assert slurm.requeued == ["requeue 4701"]
    ended = read_ledger(ledger)
    assert {signaled.run_id, killed.run_id} == {ended.run_id}
    assert ended.head.labels == {"array": "4700", "task": "0"}
    assert 0 < signaled.history.energy_joules < killed.history.energy_joules < ended.history.energy_joules
    assert sorted({each.epoch for each in ended.history if each.epoch is not None and each.complete}) == list(range(8))
    assert "Task 0: 8 epochs" in printed


def test_a_task_stops_when_the_array_has_spent_its_budget(tmp_path):
    slurm = array(tmp_path, budget="100 J", epochs=500)
    first = slurm.start(0)
    printed = [output_of(first), output_of(slurm.start(1))]

    assert "of the budget of 100 J for" in printed[0]
    assert "Task 1 does not start." in printed[1] or "of the budget of 100 J for" in printed[1]
    assert slurm.requeued == [], "a requeue would not help"
    ledgers = [read_ledger(path).history for path in (tmp_path / "array_4700").glob("*.jsonl")]
    assert sum(each.facility_kwh for each in ledgers) * 3.6e6 <= 130, "the set-up of the second counts, too"
