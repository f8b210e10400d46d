"""Power usage effectiveness: what a facility draws for each joule of its computers."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from green_callbacks.carbon.cloud import DMI, detect_cloud
from green_callbacks.carbon.configuration import read_configuration
from green_callbacks.carbon.location import LOCATION_VARIABLE
from green_callbacks.carbon.tables import read_table
from green_callbacks.errors import ConfigurationError
from green_callbacks.units import described, given_number

PUE_VARIABLE = "GREEN_CALLBACKS_PUE"
MAX_PUE = 3.0

_SCHEDULERS = (
    "SLURM_JOB_ID",
    "PBS_JOBID",
    "LSB_JOBID",
    "SGE_TASK_ID",
    "COBALT_JOBID",
    "FLUX_JOB_ID",
    "OAR_JOB_ID",
    "PJM_JOBID",
    "LOADL_STEP_ID",
)
"""What batch schedulers set in every job: Slurm, PBS, LSF, Grid Engine, Cobalt, Flux, OAR, Fujitsu's, LoadLeveler."""


class Pue(NamedTuple):
    """A power usage effectiveness.

    Attributes:
        value: Energy of the facility over energy of its computers; at least 1.
        source: Where it comes from, in words.
    """

    value: float
    source: str


def resolve_pue(
    pue: float | None = None,
    location: str | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    dmi: Path = DMI,
) -> Pue:
    """Find the PUE to account with.

    The first that says something counts: the argument; ``GREEN_CALLBACKS_PUE``; the user's configuration
    (:mod:`green_callbacks.carbon.configuration`); the provider's own figure, where the location is a cloud region or
    the firmware says that the machine is in that cloud; the average of the world's data centres, in the job of a batch
    scheduler; 1.0, for a workstation.

    Args:
        pue: Ratio from 1 to 3.
        location: Code of the place; ``GREEN_CALLBACKS_LOCATION`` unless given.
        environ: Environment variables.
        dmi: Folder of the strings of the machine's firmware.

    Returns:
        The ratio and where it comes from, with its year where it was published.

    Raises:
        ConfigurationError: It is no number, or out of range; or it is the provider's, in a bundle without tables.
    """
    if pue is not None:
        return Pue(_valid(pue, "pue"), "argument")
    given = environ.get(PUE_VARIABLE, "").strip()
    if given:
        return Pue(_valid(given, PUE_VARIABLE), f"environment ({PUE_VARIABLE})")
    configuration = read_configuration(environ)
    if configuration.pue is not None:
        return Pue(_valid(configuration.pue, f"pue in {configuration.path}"), f"configuration ({configuration.path})")
    place = location or environ.get(LOCATION_VARIABLE, "").strip() or configuration.location or ""
    provider, colon, _ = place.partition(":")
    who = provider.strip().lower() if colon else detect_cloud(dmi)
    published = _published(who) if who else None
    if published is not None:
        return published
    scheduler = next((name for name in _SCHEDULERS if environ.get(name)), None)
    average = _published("average") if scheduler is not None else None
    if average is not None:
        return average._replace(source=f"data centre, as {scheduler} is set: {average.source}")
    return Pue(1.0, "workstation")


def _valid(pue: float | str, option: str) -> float:
    what = f"{option} is the facility's energy over its computers', a number from 1 to {MAX_PUE:.0f}"
    try:
        value = given_number(pue)
    except ValueError as fault:
        msg = f"{what}: {fault}."
        raise ConfigurationError(msg) from None
    if not 1 <= value <= MAX_PUE:
        msg = f"{what}, not {described(pue)}."
        raise ConfigurationError(msg)
    return value


def _published(who: str) -> Pue | None:
    for row in read_table("pue.csv"):
        if row["who"] == who:
            return Pue(float(row["pue"]), f"{row['source']}, {row['what']} {row['year']}")
    return None
