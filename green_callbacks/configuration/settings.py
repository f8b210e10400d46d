"""What variables and files said, in the order in which they count."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeVar

from green_callbacks.configuration.labels import MOST_LABELS
from green_callbacks.errors import ConfigurationError
from green_callbacks.text.log import get_logger

NONE: Final = "none"
"""Value of a budget, project or ledger folder that undoes the value of files that count less.

>>> NONE
'none'
"""
_LABELS: Final = "labels"
_PLACE: Final = ("location", "carbon_intensity")
_IGNORED: Final = "The site's setting is ignored. Tell whoever keeps that file."

T = TypeVar("T")

_logger = get_logger(__name__)
_said: set[str] = set()


@dataclass(frozen=True, slots=True)
class Setting:
    """One value, and who said it.

    Attributes:
        key: What it is about, such as ``pue``.
        value: The value. A file may hold numbers, a variable holds a text.
        origin: Name of the variable, or path of the file.
        kind: Who said it.
        level: Place in the order in which variables and files count, from 0.

    Example:
        >>> Setting("pue", 1.2, "/etc/green_callbacks/config.toml", "site", 2).where
        'pue in /etc/green_callbacks/config.toml'
    """

    key: str
    value: Any
    origin: str
    kind: Literal["variable", "user", "site"]
    level: int

    @property
    def where(self) -> str:
        """The variable, or the key and its file, for a message."""
        return self.origin if self.kind == "variable" else f"{self.key} in {self.origin}"


class Shadowed(NamedTuple):
    """A setting that has no effect, because another one counts.

    Attributes:
        setting: The setting without effect.
        by: The setting that counts.

    Example:
        >>> site = Setting("pue", 1.2, "/etc/green_callbacks/config.toml", "site", 1)
        >>> Shadowed(site, Setting("pue", "1.1", "GREEN_CALLBACKS_PUE", "variable", 0)).by.value
        '1.1'
    """

    setting: Setting
    by: Setting


@dataclass(frozen=True, slots=True)
class Configuration:
    """All settings of variables and files.

    Attributes:
        settings: The settings, in the order in which they count.
        files: The files that were read, in the same order.
        faults: Sentences about settings of the site that were ignored. They grow when more settings are checked.

    Example:
        >>> Configuration().first("pue") is None
        True
    """

    settings: tuple[Setting, ...] = ()
    files: tuple[Path, ...] = ()
    faults: list[str] = field(default_factory=list)

    def first(self, key: str) -> Setting | None:
        """Return the setting of a key that counts, or None if nothing says it."""
        return next(self.all(key), None)

    def all(self, key: str) -> Iterator[Setting]:
        """Return the settings of a key, in the order in which they count."""
        return (each for each in self.settings if each.key == key)

    def places(self) -> Iterator[Sequence[Setting]]:
        """Return what each level says of place and carbon intensity, which belong together."""
        found = [each for each in self.settings if each.key in _PLACE]
        for level in sorted({each.level for each in found}):
            yield [each for each in found if each.level == level]

    def refuse(self, setting: Setting, fault: ConfigurationError) -> None:
        """Refuse a setting of the user. Note that a setting of the site is ignored.

        A fault in a file of the site must not end the training of everybody there.

        Args:
            setting: The setting.
            fault: What is wrong with it, with its origin.

        Raises:
            ConfigurationError: The setting is not of the site.
        """
        if setting.kind != "site":
            raise fault
        self.faults.append(f"{fault} {_IGNORED}")

    @property
    def labels(self) -> dict[str, str]:
        """The labels of all levels. Labels of the site are left out where they make too many."""
        merged: dict[str, str] = {}
        for setting in self.all(_LABELS):
            both = {**setting.value, **merged}
            if setting.kind == "site" and len(both) > MOST_LABELS:
                self.refuse(setting, ConfigurationError(f"{setting.where} makes more than {MOST_LABELS} labels."))
                continue
            merged = both
        return merged

    @property
    def shadowed(self) -> list[Shadowed]:
        """The settings without effect, each with the setting that counts."""
        return [*self._shadowed_places(), *self._shadowed_labels(), *self._shadowed_values()]

    def _shadowed_values(self) -> Iterator[Shadowed]:
        for setting in self.settings:
            first = self.first(setting.key)
            if setting.key not in (*_PLACE, _LABELS) and first is not None and first is not setting:
                yield Shadowed(setting, first)

    def _shadowed_places(self) -> Iterator[Shadowed]:
        first, *others = [*self.places()] or [()]
        for setting in (each for level in others for each in level):
            yield Shadowed(setting, next((each for each in first if each.key == setting.key), first[0]))

    def _shadowed_labels(self) -> Iterator[Shadowed]:
        named: dict[str, Setting] = {}
        for setting in self.all(_LABELS):
            for name in setting.value:
                if name in named:
                    text, before = setting.value[name], named[name]
                    yield Shadowed(
                        Setting(f"labels.{name}", text, setting.origin, setting.kind, setting.level),
                        Setting(f"labels.{name}", before.value[name], before.origin, before.kind, before.level),
                    )
                named.setdefault(name, setting)

    def say_faults(self) -> None:
        """Log what was ignored, each sentence once in this process."""
        for sentence in self.faults:
            if sentence not in _said:
                _said.add(sentence)
                _logger.warning("%s", sentence)

    def unsaid_faults(self) -> list[str]:
        """Return what was ignored and is in no log yet. The caller logs it."""
        unsaid = [sentence for sentence in self.faults if sentence not in _said]
        _said.update(unsaid)
        return unsaid
