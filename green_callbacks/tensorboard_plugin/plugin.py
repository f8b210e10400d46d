"""The tab *Carbon*, with its routes and the sources of its numbers."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from tensorboard.plugins import base_plugin
from werkzeug.wrappers import Request

from green_callbacks.page.assets import ASSETS, Asset
from green_callbacks.page.zones import zones
from green_callbacks.tensorboard_plugin.ledger_answers import LedgerAnswers
from green_callbacks.tensorboard_plugin.responses import Answer, Served, application, refused
from green_callbacks.tensorboard_plugin.run_lists import RunList
from green_callbacks.tensorboard_plugin.scalars import ScalarAnswers

__all__ = ["CarbonPlugin"]

_REMOTE: Final = "://"
"""Part of an address, such as ``s3://``, which is not a folder of this machine."""


class CarbonPlugin(base_plugin.TBPlugin):  # type: ignore[misc]  # TensorBoard has no types
    """The tab.

    It reads the ledgers in the log folder. Where it cannot reach any, as with ``--logdir_spec`` or on ``s3://``, it
    shows the scalars that TensorBoard itself has read, and says that they are less.

    Args:
        context: Describes this TensorBoard, such as its log folder.

    Example:
        >>> plugin = CarbonPlugin(base_plugin.TBContext(logdir="logs"))
        >>> plugin.frontend_metadata().tab_name
        'Carbon'
    """

    plugin_name = "green_callbacks"

    def __init__(self, context: base_plugin.TBContext) -> None:
        provider = context.data_provider
        self._scalars = None if provider is None else ScalarAnswers(provider, context)
        self._ledgers = None
        folder = context.logdir or ""
        if folder and _REMOTE not in folder:
            folder = os.path.expanduser(folder)  # noqa: PTH111  the other way raises where there is no home
            self._ledgers = LedgerAnswers(Path(folder), RunList(provider))
        self._was_active = False

    def get_plugin_apps(self) -> Mapping[str, Any]:
        """Return the applications by route."""
        answers: dict[str, Answer] = {
            "/runs": self._runs,
            "/run": self._run,
            "/stop": self._stop,
            "/zones": self._zones,
        }
        answers |= {f"/{name}": _file(asset) for name, asset in ASSETS.items()}
        return {route: application(answer) for route, answer in answers.items()}

    def is_active(self) -> bool:
        """Return whether there are runs to show. Once there are, they stay."""
        if not self._was_active:
            self._was_active = (self._ledgers is not None and self._ledgers.holds_any()) or self._falls_back()
        return self._was_active

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """Return the name of the tab, and the module that draws it."""
        return base_plugin.FrontendMetadata(es_module_path="/entry.js", tab_name="Carbon")

    def data_plugin_names(self) -> tuple[str, ...]:
        """Return nothing, because the tab's numbers are not in event files."""
        return ()

    def _falls_back(self) -> bool:
        """Return whether there is no ledger to read, but there are scalars of this package."""
        if self._ledgers is not None and not self._ledgers.is_empty():
            return False
        return self._scalars is not None and self._scalars.holds_any()

    def _runs(self, request: Request) -> Served:
        if self._ledgers is not None:
            served = self._ledgers.runs(request)
            if not self._falls_back():
                return served
        if self._scalars is not None:
            return self._scalars.runs(request)
        return refused("TensorBoard has neither a log folder nor a provider of data.", HTTPStatus.NOT_FOUND)

    def _run(self, request: Request) -> Served:
        return self._first(lambda source: source.run(request))

    def _stop(self, request: Request) -> Served:
        return self._first(lambda source: source.stop(request))

    def _first(self, answer: Callable[[LedgerAnswers | ScalarAnswers], Served | None]) -> Served:
        """Return the first answer of a source that knows the run."""
        for source in (self._ledgers, self._scalars):
            served = None if source is None else answer(source)
            if served is not None:
                return served
        sentence = "There is no run with this key. Reload the page, because the run may have been moved or deleted."
        return refused(sentence, HTTPStatus.NOT_FOUND)

    def _zones(self, _request: Request) -> Served:
        return _zones()


@cache
def _zones() -> Served:
    return Served.json(zones())


def _file(asset: Asset) -> Answer:
    """Return a function that answers with a file, read at the first request for it."""
    read = cache(lambda: Served.of(asset.read(), asset.mime))
    return lambda _request: read()
