"""The cloud and the region in which a machine runs."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final

from green_callbacks.carbon._cloud_metadata import ADDRESS, MetadataError, ask_region
from green_callbacks.carbon.base import checked_intensity
from green_callbacks.carbon.zones import lookup
from green_callbacks.errors import UnknownZoneError
from green_callbacks.records import Intensity
from green_callbacks.records.intensity import FoundBy
from green_callbacks.small_files import read_or_empty
from green_callbacks.text.log import get_logger

CLOUD: Final = "cloud"
"""Location that allows asking the cloud's own metadata service for the region."""

DMI: Final = Path("/sys/class/dmi/id")
"""Folder in which Linux shows the texts of the firmware."""

_METADATA: Final[FoundBy] = "cloud metadata"
_AZURE_TAG: Final = "7783-7084-3265-9085-8269-3286-77"
_VARIABLES: Final = {
    "aws": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "gcp": ("CLOUD_ML_REGION", "GOOGLE_CLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"),
    "azure": ("REGION_NAME",),
}
_ATTEMPTS: Final = 3
"""Number of times that the metadata service is asked before giving up."""

_REMEDY: Final = 'for example location="aws:eu-north-1"'

_logger = get_logger(__name__)


def detect_cloud(dmi: Path = DMI) -> str | None:
    """Tell the cloud from the texts of the firmware. Only files are read.

    Args:
        dmi: Folder of the firmware's texts. Defaults to the folder of Linux.

    Returns:
        ``aws``, ``gcp`` or ``azure``. None for any other machine.
    """
    if _firmware(dmi, "sys_vendor") == "Amazon EC2" or _firmware(dmi, "bios_version").endswith(".amazon"):
        return "aws"
    if _firmware(dmi, "product_name") == "Google Compute Engine":  # the vendor name alone also means laptops
        return "gcp"
    return "azure" if _firmware(dmi, "chassis_asset_tag") == _AZURE_TAG else None


def _firmware(dmi: Path, name: str) -> str:
    return read_or_empty(dmi / name)


def hinted_region(environ: Mapping[str, str] = os.environ, dmi: Path = DMI) -> tuple[Intensity, str] | None:
    """Find the region that the environment names, if the firmware says that the machine is in that cloud.

    The result is a guess, because the variables configure the clouds' clients and may name another region.

    Args:
        environ: Environment variables. Defaults to ``os.environ``.
        dmi: Folder of the firmware's texts. Defaults to the folder of Linux.

    Returns:
        The intensity of the region, and the name of the variable. None without a cloud, a variable or a figure.
    """
    return next(_hints(environ, dmi), None)


def _hints(environ: Mapping[str, str], dmi: Path) -> Iterator[tuple[Intensity, str]]:
    cloud = detect_cloud(dmi)
    for name in _VARIABLES.get(cloud or "", ()):
        region = environ.get(name, "").strip()
        if region:
            with suppress(UnknownZoneError):
                yield lookup(f"{cloud}:{region}"), name


class CloudIntensity:
    """The yearly average of the machine's cloud region, for which the cloud itself is asked.

    :meth:`poll` asks the cloud's metadata service for the region and for nothing else. An answer takes at most 1 s and
    uses no proxy. The service is asked only if the firmware names the cloud. Until the service answers, a substitute
    counts, flagged ``unconfirmed``. After three failures the provider stops asking.

    Args:
        stand_in: Intensity until the region is known.
        environ: Environment variables. ``AWS_EC2_METADATA_DISABLED`` is honored. Defaults to ``os.environ``.
        dmi: Folder of the firmware's texts. Defaults to the folder of Linux.
        address: Host and port of the metadata service. Defaults to the address that all clouds use.

    Example:
        >>> from datetime import UTC, datetime
        >>> provider = CloudIntensity(lookup("SE"), environ={}, dmi=Path("/nowhere"))
        >>> provider.at(datetime(2025, 1, 1, tzinfo=UTC)).flags
        ('unconfirmed',)
    """

    is_instant: ClassVar[bool] = True

    poll_seconds = 60.0
    """Time between two calls of :meth:`poll`, in s."""

    def __init__(
        self,
        stand_in: Intensity,
        environ: Mapping[str, str] = os.environ,
        dmi: Path = DMI,
        *,
        address: tuple[str, int] = ADDRESS,
    ) -> None:
        self._address = address
        self._cloud = detect_cloud(dmi)
        self._intensity = checked_intensity(replace(stand_in, flags=(*stand_in.flags, "unconfirmed")))
        is_disabled = environ.get("AWS_EC2_METADATA_DISABLED", "").strip().lower() == "true"
        self._attempts_left = 0 if self._cloud is None or (self._cloud == "aws" and is_disabled) else _ATTEMPTS
        if self._cloud is None:
            self._warn("the firmware of this machine names no cloud")
        elif not self._attempts_left:
            self._warn("AWS_EC2_METADATA_DISABLED is set")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._intensity.zone!r})"

    def at(self, when: object) -> Intensity:  # noqa: ARG002  the same at all times
        """Return the intensity of the region, or its substitute, without asking the service.

        Args:
            when: Time of day, aware.
        """
        return self._intensity

    def poll(self) -> None:
        """Ask the cloud for the region if it is not known yet. The call takes at most 1 s."""
        if self._cloud is None or not self._attempts_left:
            return
        self._attempts_left -= 1
        try:
            region = ask_region(self._cloud, self._address)
            self._intensity = replace(lookup(f"{self._cloud}:{region}"), found_by=_METADATA)
        except MetadataError as failure:
            if not self._attempts_left:
                self._warn(str(failure))
        except UnknownZoneError:
            self._attempts_left = 0
            self._warn(f"the tables hold no region {self._cloud}:{region}")
        else:
            self._attempts_left = 0

    def _warn(self, reason: str) -> None:
        _logger.warning(
            'The region of location="cloud" is not known, because %s. Emissions are accounted with %s, %g gCO2e/kWh. '
            "Name the region, %s.",
            reason,
            self._intensity.name,
            self._intensity.g_per_kwh,
            _REMEDY,
        )
