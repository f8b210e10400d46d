"""What a run started here would account with: place, facility, ledger, and the variables that have a say in it."""

import os
import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from green_callbacks.accountant.beginning.option_checks import DISABLE_VARIABLE, is_set
from green_callbacks.accountant.beginning.project_spending import FOLDER
from green_callbacks.carbon import TOKEN_VARIABLE, resolve_intensity, resolve_pue
from green_callbacks.carbon.location import INTENSITY_VARIABLE, LOCATION_VARIABLE
from green_callbacks.carbon.pue import PUE_VARIABLE
from green_callbacks.cli.doctor.finding import Finding
from green_callbacks.errors import ConfigurationError
from green_callbacks.text.wording import intensity_range, place, significant

_VARIABLES: Final = {
    LOCATION_VARIABLE: "the place",
    INTENSITY_VARIABLE: "the carbon intensity, in gCO2e/kWh",
    PUE_VARIABLE: "the PUE",
    TOKEN_VARIABLE: "the token of Electricity Maps",
    DISABLE_VARIABLE: "1 turns off all measuring and stopping, 0 leaves it on",
}
_PREFIX: Final = "GREEN_CALLBACKS_"
_NAME: Final = re.compile(r"[A-Za-z0-9_]+")


def account(environ: Mapping[str, str] = os.environ, folder: Path = Path(), etc: Path = Path("/etc")) -> list[Finding]:
    """Find what a run would be accounted with if it were started here without any option.

    Args:
        environ: Environment variables.
        folder: The working folder.
        etc: Folder of the machine's configuration.

    Returns:
        The findings.
    """
    return [_location(environ, etc), _pue(environ), _ledger(folder), *_variables(environ)]


def _location(environ: Mapping[str, str], etc: Path) -> Finding:
    try:
        intensity = resolve_intensity(environ=environ, etc=etc).at(datetime.now(UTC))
    except ConfigurationError as error:
        command = f"unset {LOCATION_VARIABLE} {INTENSITY_VARIABLE}"
        return Finding(topic="Location", state="attention", text=str(error), command=command)
    is_guess = "guessed" in intensity.flags
    sentences = [f"{place(intensity)}: {intensity_range(intensity)}. Found by: {intensity.found_by}."]
    if is_guess:
        sentences.append("That is a guess. Say where this machine is, with your place for DE:")
    return Finding(
        topic="Location",
        state="guessed" if is_guess else "known",
        text=" ".join(sentences),
        command=f"export {LOCATION_VARIABLE}=DE" if is_guess else None,
        details={"zone": intensity.zone, "g_per_kwh": intensity.g_per_kwh, "found_by": intensity.found_by},
    )


def _pue(environ: Mapping[str, str]) -> Finding:
    try:
        pue = resolve_pue(environ=environ)
    except ConfigurationError as error:
        return Finding(topic="PUE", state="attention", text=str(error), command=f"unset {PUE_VARIABLE}")
    text = f"{significant(pue.value)} ({pue.source})."
    return Finding(topic="PUE", state="known", text=text, details={"pue": pue.value, "source": pue.source})


def _ledger(folder: Path) -> Finding:
    try:
        target = (folder / FOLDER).absolute()
    except OSError:
        text = "The working folder was removed, so a run started here would be accounted in memory only."
        nowhere = {"folder": None, "is_writable": False}
        return Finding(topic="Ledger", state="attention", text=text, command="cd ~", details=nowhere)
    nearest = next((each for each in (target, *target.parents) if os.path.lexists(each)), target)
    details: dict[str, object] = {"folder": str(target)}
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        text = f"{target / '<run id>.jsonl'}, unless the framework has a log folder of its own."
        return Finding(topic="Ledger", state="known", text=text, details={**details, "is_writable": True})
    text = (
        f"{nearest} cannot be written, so a run started here would be accounted in memory only. Start it in another "
        "folder, or name a file with ledger=…"
    )
    command = f"chmod u+rwx {shlex.quote(str(nearest))}" if nearest.is_dir() else None
    return Finding(
        topic="Ledger", state="attention", text=text, command=command, details={**details, "is_writable": False}
    )


def _variables(environ: Mapping[str, str]) -> list[Finding]:
    return [_variable(name, environ) for name in sorted(environ) if name.startswith(_PREFIX)]


def _variable(name: str, environ: Mapping[str, str]) -> Finding:
    if name not in _VARIABLES:  # its value may be a secret
        text = f"{name} is set, but there is no such variable; there are {', '.join(_VARIABLES)}."
        command = f"unset {name}" if _NAME.fullmatch(name) else None  # another one is nothing to paste into a shell
        return Finding(topic="Environment", state="attention", text=text, command=command)
    if name == TOKEN_VARIABLE:
        text = f"{name} is set. It holds {_VARIABLES[name]}."
        return Finding(topic="Environment", state="known", text=text, details={"name": name})
    value = environ[name]
    try:
        disables = name == DISABLE_VARIABLE and is_set(name, environ)
    except ConfigurationError as error:  # a run would refuse it
        return Finding(topic="Environment", state="attention", text=str(error), command=f"unset {name}")
    return Finding(
        topic="Environment",
        state="attention" if disables else "known",
        text=f"{name}={value!r}: {_VARIABLES[name]}.",
        command=f"unset {name}" if disables else None,
        details={"name": name, "value": value},
    )
