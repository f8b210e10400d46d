import psutil
import pytest

from green_callbacks.cli.doctor.job import slurm as slurm_module
from green_callbacks.cli.doctor.job.slurm import slurm

ARRAY = {
    "SLURM_JOB_ID": "4711",
    "SLURM_ARRAY_JOB_ID": "4700",
    "SLURM_ARRAY_TASK_ID": "7",
    "SLURM_JOB_NUM_NODES": "1",
    "SLURM_NTASKS": "1",
    "SLURM_CPUS_PER_TASK": "4",
    "SLURM_RESTART_COUNT": "2",
    "SLURM_JOB_GPUS": "2",
    "CUDA_VISIBLE_DEVICES": "0",
    "SLURM_JOB_END_TIME": "1800000000",
}


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 64)
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda _: [0, 1, 2, 3], raising=False)


def by_topic(environ, folder, **options):
    return {finding.topic: finding for finding in slurm(environ, folder, **options)}


def test_outside_of_slurm_nothing_is_found(tmp_path):
    assert slurm({}, tmp_path) == []
    assert slurm({"SLURM_JOB_ID": "; rm -rf /"}, tmp_path) == []


def test_a_task_of_an_array_is_described(tmp_path):
    found = by_topic(ARRAY, tmp_path, now=1_799_990_000.0)

    assert found["Slurm"].text == (
        "Job 4711 is task 7 of array 4700. It has 1 node and 1 task. It was requeued 2 times. Its tasks share a budget "
        'with CarbonBudget(…, project="4700") in a shared folder.'
    )
    assert found["Slurm CPUs"].text == "Slurm gives each task 4 processors, and this process is bound to 4 of 64."
    assert found["Slurm GPUs"].state == "known"
    assert "ends at 2027-01-15 08:00 UTC, in 2 h 46 min. " in found["Slurm limit"].text
    assert "KillWait" in found["Slurm limit"].text
    assert found["Slurm limit"].details["seconds_left"] == 10_000.0


def test_unbound_processors_and_unnamed_gpus_need_attention(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda _: list(range(64)), raising=False)
    environ = {name: value for name, value in ARRAY.items() if name != "CUDA_VISIBLE_DEVICES"}

    found = by_topic(environ, tmp_path)

    assert (found["Slurm CPUs"].state, found["Slurm CPUs"].command) == ("attention", "srun --cpu-bind=cores ...")
    assert found["Slurm GPUs"].state == "attention"


def test_a_job_that_says_little_is_described_by_what_it_says(tmp_path):
    found = by_topic({"SLURM_JOB_ID": "1", "SLURM_NTASKS": "2"}, tmp_path)

    assert found["Slurm"].text.startswith("Job 1. It has 2 tasks. This is the batch script")
    assert "Slurm GPUs" not in found
    assert found["Slurm limit"].text.startswith("The environment does not tell the end of the job.")


@pytest.mark.parametrize("end", ["0", "999999999999999"])
def test_any_end_of_the_job_can_be_written(end, tmp_path):
    found = by_topic({"SLURM_JOB_ID": "1", "SLURM_JOB_END_TIME": end}, tmp_path)
    assert "The job ends at" in found["Slurm limit"].text


def test_a_folder_of_this_node_needs_attention_and_a_shared_one_does_not(tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    kinds = {shared: "nfs4", shared / "logs": "nfs4"}
    monkeypatch.setattr(slurm_module, "network_file_system", lambda path: kinds.get(path, ""))

    here = by_topic({"SLURM_JOB_ID": "1", "SLURM_SUBMIT_DIR": str(shared)}, tmp_path)["Slurm ledgers"]
    assert here.state == "attention"
    assert here.command == 'export GREEN_CALLBACKS_LEDGER_FOLDER="$SLURM_SUBMIT_DIR/green-callbacks"'
    named = {"SLURM_JOB_ID": "1", "GREEN_CALLBACKS_LEDGER_FOLDER": str(shared / "logs")}
    assert by_topic(named, tmp_path)["Slurm ledgers"].text.endswith("is on nfs4, so that all nodes find the ledgers.")
