"""The PUE is the user's, else the provider's, else that of the kind of machine."""

import math

import pytest

from green_callbacks.carbon import resolve_pue
from green_callbacks.errors import ConfigurationError

PUE = "GREEN_CALLBACKS_PUE"


def test_an_argument_comes_first():
    assert resolve_pue(1.2, "aws:eu-north-1", {PUE: "1.4", "SLURM_JOB_ID": "7"}) == (1.2, "argument")


def test_the_environment_comes_second():
    found = resolve_pue(None, "aws:eu-north-1", {PUE: " 1.4 "})
    assert found.value == 1.4
    assert PUE in found.source


@pytest.mark.parametrize(
    ("location", "value", "words"),
    [
        ("gcp:europe-west1", 1.10, ("Google", "2023")),
        ("AWS:eu-north-1", 1.15, ("AWS", "2023")),
        ("azure:westeurope", 1.17, ("Microsoft", "2025")),
    ],
)
def test_a_cloud_region_has_its_providers_figure(location: str, value: float, words: tuple[str, ...]):
    for found in (
        resolve_pue(None, location, {"SLURM_JOB_ID": "7"}),
        resolve_pue(None, None, {"GREEN_CALLBACKS_LOCATION": location}),
    ):
        assert found.value == value
        assert all(word in found.source for word in words)


@pytest.mark.parametrize("variable", ["SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID"])
def test_the_job_of_a_batch_scheduler_runs_in_a_data_center(variable: str):
    found = resolve_pue(None, "DE", {variable: "7"})
    assert found.value == 1.54
    assert variable in found.source
    assert "Uptime" in found.source
    assert "2025" in found.source


@pytest.mark.parametrize("location", [None, "DE", "aws", "unknown:region"])
def test_any_other_machine_is_a_workstation(location: str | None):
    found = resolve_pue(None, location, {"SLURM_JOB_ID": "", PUE: ""})
    assert found == (1.0, "workstation")


@pytest.mark.parametrize("pue", [0.99, 3.01, 0, -1, math.nan, math.inf, "much", None])
def test_what_cannot_be_is_refused(pue: object):
    if pue is not None:
        with pytest.raises(ConfigurationError, match="pue is the energy of the facility"):
            resolve_pue(pue, None, {})  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=PUE):
        resolve_pue(None, None, {PUE: str(pue)})


@pytest.mark.parametrize("pue", [1, 1.0, 3])
def test_the_bounds_are_allowed(pue: float):
    assert resolve_pue(pue, None, {}).value == pue
