"""The place, PUE, ledger and environment variables with which a run started here would be accounted."""

import os
import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from green_callbacks.carbon import resolve_intensity, resolve_pue
from green_callbacks.cli.doctor.finding import Finding
from green_callbacks.cli.doctor.settings import read_settings, settings
from green_callbacks.cli.doctor.switch import switch
from green_callbacks.configuration import (
    DISABLE_VARIABLE,
    INTENSITY_VARIABLE,
    LOCATION_VARIABLE,
    PUE_VARIABLE,
    REGISTRY_VARIABLE,
    SWITCH_VARIABLE,
    TOKEN_VARIABLE,
    VARIABLES,
    Configuration,
    is_set,
    unknown_variables,
)
from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger.project_ledgers import FOLDER
from green_callbacks.registry.sql import hide_password
from green_callbacks.text.wording import intensity_range, place, significant

_PREFIX: Final = "GREEN_CALLBACKS_"
_NAME: Final = re.compile(r"[A-Za-z0-9_]+")


def account(environ: Mapping[str, str] = os.environ, folder: Path = Path(), etc: Path = Path("/etc")) -> list[Finding]:
    """Find the settings of a run that starts here without any option.

    Args:
        environ: Environment variables. Defaults to ``os.environ``.
        folder: The working folder. Defaults to the present folder.
        etc: Folder of the machine's configuration. Defaults to ``/etc``.

    Returns:
        The findings.
    """
    said = read_settings(environ, etc)
    if isinstance(said, Finding):
        return [said, _ledger(folder), *_variables(environ)]
    place_and_pue = [_location(environ, etc, said), _pue(environ, said)]
    return [*place_and_pue, _ledger(folder, said), *settings(said), *_variables(environ), *switch(environ)]


def _location(environ: Mapping[str, str], etc: Path, said: Configuration) -> Finding:
    try:
        intensity = resolve_intensity(environ=environ, etc=etc, configuration=said).at(datetime.now(UTC))
    except ConfigurationError as error:
        command = f"unset {LOCATION_VARIABLE} {INTENSITY_VARIABLE}"
        return Finding(topic="Location", state="attention", text=str(error), command=command)
    is_guess = "guessed" in intensity.flags
    sentences = [f"{place(intensity)} with {intensity_range(intensity)}, location by {intensity.found_by}."]
    if is_guess:
        sentences.append("This is a guess. Set the place of this machine, with your own code instead of DE.")
    return Finding(
        topic="Location",
        state="guessed" if is_guess else "known",
        text=" ".join(sentences),
        command=f"export {LOCATION_VARIABLE}=DE" if is_guess else None,
        details={"zone": intensity.zone, "g_per_kwh": intensity.g_per_kwh, "found_by": intensity.found_by},
    )


def _pue(environ: Mapping[str, str], said: Configuration) -> Finding:
    try:
        pue = resolve_pue(environ=environ, configuration=said)
    except ConfigurationError as error:
        return Finding(topic="PUE", state="attention", text=str(error), command=f"unset {PUE_VARIABLE}")
    text = f"{significant(pue.value)} ({pue.source})."
    return Finding(topic="PUE", state="known", text=text, details={"pue": pue.value, "source": pue.source})


def _ledger(folder: Path, said: Configuration | None = None) -> Finding:
    named = said.first("ledger_folder") if said else None
    try:
        target = Path(named.value) if named and named.value else (folder / FOLDER).absolute()
    except OSError:
        text = "The working folder was removed, so a run started here would be kept in memory only."
        nowhere = {"folder": None, "is_writable": False}
        return Finding(topic="Ledger", state="attention", text=text, command="cd ~", details=nowhere)
    nearest = next((each for each in (target, *target.parents) if os.path.lexists(each)), target)
    details: dict[str, object] = {"folder": str(target)}
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        reason = f"by {named.where}" if named and named.value else "unless the framework has its own log folder"
        text = f"{target / '<run id>.jsonl'}, {reason}."
        return Finding(topic="Ledger", state="known", text=text, details={**details, "is_writable": True})
    text = (
        f"{nearest} cannot be written, so a run started here would be kept in memory only. Start it in another "
        "folder, or name a file with ledger=…"
    )
    command = f"chmod u+rwx {shlex.quote(str(nearest))}" if nearest.is_dir() else None
    return Finding(
        topic="Ledger", state="attention", text=text, command=command, details={**details, "is_writable": False}
    )


def _variables(environ: Mapping[str, str]) -> list[Finding]:
    misspelled = unknown_variables(environ)
    ours = {name for name in environ if name.startswith(_PREFIX) or name == SWITCH_VARIABLE or name in misspelled}
    return [_variable(name, environ) for name in sorted(ours)]


def _variable(name: str, environ: Mapping[str, str]) -> Finding:
    if name not in VARIABLES:  # its value may be a secret
        text = f"{name} is set, but there is no such variable. The variables are {', '.join(VARIABLES)}."
        command = f"unset {name}" if _NAME.fullmatch(name) else None  # other names are not safe to paste into a shell
        return Finding(topic="Environment", state="attention", text=text, command=command)
    if name == TOKEN_VARIABLE:
        text = f"{name} is set. It holds {VARIABLES[name]}."
        return Finding(topic="Environment", state="known", text=text, details={"name": name})
    value = hide_password(environ[name]) if name == REGISTRY_VARIABLE else environ[name]
    try:
        is_on = name in (DISABLE_VARIABLE, SWITCH_VARIABLE) and is_set(name, environ)
    except ConfigurationError as error:  # a run would refuse it
        return Finding(topic="Environment", state="attention", text=str(error), command=f"unset {name}")
    disables = is_on and name == DISABLE_VARIABLE
    return Finding(
        topic="Environment",
        state="attention" if disables else "known",
        text=f"{name}={value!r} sets {VARIABLES[name]}.",
        command=f"unset {name}" if disables else None,
        details={"name": name, "value": value},
    )
