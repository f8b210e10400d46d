import signal
import sys
import time
from pathlib import Path

import pytest
from frameworks.slurm.stand_in import Slurm, output_of, wait_for_epoch

from green_callbacks import read_ledger

pytest.importorskip("lightning")
JOB = Path(__file__).parent / "lightning_job.py"


def test_a_fit_that_lightning_requeues_goes_on_with_its_totals(tmp_path):
    script = tmp_path / "job.sh"
    script.write_text(f"exec srun {sys.executable} {JOB} {tmp_path}\n")
    slurm = Slurm(tmp_path, script)
    job = slurm.start(3)
    wait_for_epoch(tmp_path / "step")
    time.sleep(0.5)  # an epoch is 0.2 s
    job.send_signal(signal.SIGUSR1)
    deadline = time.monotonic() + 60
    while not slurm.requeued and time.monotonic() < deadline:
        time.sleep(0.05)
    job.send_signal(signal.SIGTERM)  # Slurm ends the job that it requeues
    printed = output_of(job)
    assert slurm.requeued == ["requeue 4700_3"], printed
    (ledger,) = tmp_path.rglob("*.jsonl")
    before = read_ledger(ledger)

    printed = output_of(slurm.start(3))

    (ledger,) = tmp_path.rglob("*.jsonl")
    after = read_ledger(ledger)
    assert after.run_id == before.run_id, printed
    assert before.history.energy_joules < after.history.energy_joules
    assert max(each.epoch for each in after.history if each.complete and each.epoch is not None) == 5
