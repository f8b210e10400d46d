"""The place of a process, by the variables of its launcher."""

import pytest

from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.ranks.joining import alone, say_not_agreed
from green_callbacks.accountant.ranks.launcher import Place, numbered_wrongly, place_in_job

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "none"}
SRUN = {
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "3",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
}
OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "3",
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
}
JSRUN = {
    "JSM_NAMESPACE_RANK": "3",
    "JSM_NAMESPACE_SIZE": "4",
    "JSM_NAMESPACE_LOCAL_RANK": "1",
    "JSM_NAMESPACE_LOCAL_SIZE": "2",
}
MPICH = {"PMI_RANK": "3", "PMI_SIZE": "4", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "2"}


@pytest.mark.parametrize(
    ("environ", "launcher"),
    [(TORCHRUN, "torchrun"), (SRUN, "srun"), (OPEN_MPI, "Open MPI"), (JSRUN, "jsrun"), (MPICH, "MPI")],
)
def test_every_launcher_says_where_a_process_stands(environ, launcher):
    assert place_in_job(environ) == Place(launcher, 3, 4, 1, 2, shares_environment=launcher == "torchrun")


def test_torchrun_within_srun_wins():
    assert place_in_job({**SRUN, **TORCHRUN}).launcher == "torchrun"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"},
        {"RANK": "abc", "WORLD_SIZE": "2"},
        {"RANK": "²", "WORLD_SIZE": "2"},
        {"RANK": "2", "WORLD_SIZE": "2"},
        {"RANK": "0", "WORLD_SIZE": "9" * 30},
        {"WORLD_SIZE": "2"},
        {"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_LOCALID": "0"},  # a batch script
        {"SLURM_STEP_ID": "4294967290", "SLURM_PROCID": "0", "SLURM_NTASKS": "8"},  # the shell of salloc
        {"SLURM_STEP_ID": "4294967291", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "8"},
        {"SLURM_STEP_ID": "0", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1", "SLURM_NTASKS": "8"},
    ],
)
def test_a_process_that_runs_alone_has_no_place(environ):
    assert place_in_job(environ) is None


def test_a_launcher_without_local_numbers_starts_one_process_on_each_host():
    assert place_in_job({"RANK": "1", "WORLD_SIZE": "2"}) == Place("torchrun", 1, 2, 0)


def test_local_numbers_that_contradict_each_other_are_not_believed():
    environ = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "3", "LOCAL_WORLD_SIZE": "2"}
    assert place_in_job(environ) == Place("torchrun", 3, 4, 3, None)


def test_slurm_tells_the_number_of_tasks_of_different_nodes_only_as_a_list():
    assert place_in_job({**SRUN, "SLURM_STEP_TASKS_PER_NODE": "3,1"}).local_size is None


@pytest.mark.parametrize("environ", [{"RANK": "abc", "WORLD_SIZE": "2"}, {"RANK": "5", "WORLD_SIZE": "2"}])
def test_numbers_that_cannot_be_right_are_said(environ, caplog):
    company = alone(Notices(), environ)

    assert company.place is None
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"RANK='{environ['RANK']}' and WORLD_SIZE='2' name no process of a job")


@pytest.mark.parametrize(
    "environ", [{}, TORCHRUN, {"RANK": "0", "WORLD_SIZE": "1"}, {"RANK": "7"}, {"RANK": "", "WORLD_SIZE": ""}]
)
def test_numbers_that_can_be_right_are_not(environ):
    assert numbered_wrongly(environ) is None


def test_independent_processes_are_told_no_lie(caplog):
    notices = Notices()
    say_not_agreed(alone(notices, SRUN), notices)

    (said,) = notices.texts
    assert said.startswith("srun started 4 processes, and this one (3) has found no process group")
    assert "That is right for independent trainings." in said
