"""Power usage effectiveness, the energy of a facility divided by the energy of its computers."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from green_callbacks.carbon.cloud import DMI, detect_cloud
from green_callbacks.carbon.tables import read_table
from green_callbacks.configuration import Configuration, read_configuration
from green_callbacks.errors import ConfigurationError
from green_callbacks.units import described, given_number

MAX_PUE: Final = 3.0
"""Largest PUE that is accepted, as a ratio. No published facility comes near it."""

EFFICIENT_PUE: Final = 1.1
"""PUE of an efficient data center, as a ratio. Google reports 1.09 to 1.10 for its fleet since 2019."""

_SCHEDULERS: Final = (
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
"""Variables that jobs of Slurm, PBS, LSF, Grid Engine, Cobalt, Flux, OAR, Fujitsu's scheduler or LoadLeveler have."""


class Pue(NamedTuple):
    """A power usage effectiveness.

    Attributes:
        value: Energy of the facility divided by the energy of its computers, at least 1.
        source: Origin of the value, in words.

    Example:
        >>> Pue(1.2, "argument").value
        1.2
    """

    value: float
    source: str


def resolve_pue(
    pue: float | None = None,
    location: str | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    dmi: Path = DMI,
    configuration: Configuration | None = None,
) -> Pue:
    """Find the PUE to account with.

    The first of these sources with an answer counts.

    * The argument.
    * The environment variable ``GREEN_CALLBACKS_PUE``.
    * The file of the user, and the files of the site (:mod:`green_callbacks.configuration`).
    * The figure that a cloud provider publishes. It counts where the location is a cloud region, or where the firmware
      says that the machine is in that cloud.
    * The average of the world's data centers. It counts in the job of a batch scheduler.
    * 1.0, as for a workstation.

    Args:
        pue: Ratio from 1 to 3. Defaults to None, which asks the other sources.
        location: Code of the place. Defaults to ``GREEN_CALLBACKS_LOCATION``.
        environ: Environment variables. Defaults to ``os.environ``.
        dmi: Folder with the texts of the machine's firmware. Defaults to the folder of Linux.
        configuration: What variables and files say. Its faults are the caller's to report. Defaults to what
            ``environ`` leads to.

    Returns:
        The ratio and its origin. A published ratio comes with its year.

    Raises:
        ConfigurationError: The value is no number, or is out of range. Or the value is a provider's, and the package
            was bundled without its tables.

    Example:
        >>> resolve_pue(1.2)
        Pue(value=1.2, source='argument')
    """
    if pue is not None:
        return Pue(_valid(pue, "pue"), "argument")
    found = configuration or read_configuration(environ)
    said = _said(found)
    if configuration is None:
        found.say_faults()
    if said is not None:
        return said
    place = found.first("location")
    provider, colon, _ = (location or (place.value if place else "")).partition(":")
    who = provider.strip().lower() if colon else detect_cloud(dmi)
    published = _published(who) if who else None
    if published is not None:
        return published
    scheduler = next((name for name in _SCHEDULERS if environ.get(name)), None)
    average = _published("average") if scheduler is not None else None
    if average is not None:
        return average._replace(source=f"data center, because {scheduler} is set, {average.source}")
    return Pue(1.0, "workstation")


def _said(configuration: Configuration) -> Pue | None:
    for setting in configuration.all("pue"):
        kind = "environment" if setting.kind == "variable" else "configuration"
        try:
            return Pue(_valid(setting.value, setting.where), f"{kind} ({setting.origin})")
        except ConfigurationError as fault:
            configuration.refuse(setting, fault)
    return None


def _valid(pue: float | str, option: str) -> float:
    what = f"{option} is the energy of the facility divided by the energy of its computers, from 1 to {MAX_PUE:.0f}"
    try:
        value = given_number(pue)
    except ValueError as fault:
        msg = f"{what}, but {fault}."
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
