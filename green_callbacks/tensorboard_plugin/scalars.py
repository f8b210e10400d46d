"""Answers from the scalars that TensorBoard has read, where no ledger can be reached."""

import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from tensorboard import plugin_util
from tensorboard.context import RequestContext
from tensorboard.data.provider import DataProvider, RunTagFilter
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.scalar.metadata import PLUGIN_NAME
from werkzeug.wrappers import Request

from green_callbacks.ledger import shown
from green_callbacks.page.rows import runs_of
from green_callbacks.tensorboard_plugin.responses import Served, refused
from green_callbacks.tensorboard_plugin.scalar_rows import TAGS, TOTAL, ScalarRun
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_DEFAULT_MOST: Final = 1_000
"""Number of values of a scalar that TensorBoard keeps by default."""

_ALL: Final = 10_000_000
"""Number of values to ask for where the user lets TensorBoard keep all of them."""

_PAUSE_SECONDS: Final = 1.0
"""Time in s for which the values are kept, because a page asks for several runs at once."""

_LESS: Final = (
    "These numbers come from TensorBoard's scalars, because no ledger can be read here. The PUE, places, devices, "
    "times and ends of the runs, what if and the rules of stopping are missing. Epochs are shown as optimizer steps."
)


class ScalarAnswers:
    """Answers the requests of the page from the scalars of event files.

    Args:
        provider: TensorBoard's own reader.
        context: Describes this TensorBoard.
    """

    def __init__(self, provider: DataProvider, context: TBContext) -> None:
        self._provider = provider
        spec = getattr(context.flags, "logdir_spec", "") if context.flags is not None else ""
        self._folder = context.logdir or spec or ""
        kept = (context.sampling_hints or {}).get(PLUGIN_NAME, _DEFAULT_MOST)
        self._most = kept or _ALL
        self._kept: tuple[float, str, dict[str, ScalarRun]] | None = None
        self._has_said = False

    def holds_any(self) -> bool:
        """Return whether there are scalars of this package."""
        wanted = RunTagFilter(tags=[TOTAL])
        try:
            found = self._provider.list_scalars(
                RequestContext(), experiment_id="", plugin_name=PLUGIN_NAME, run_tag_filter=wanted
            )
        except Exception as reason:  # noqa: BLE001  any provider may be in use
            if not self._has_said:
                self._has_said = True
                logger.warning("TensorBoard cannot list its scalars for the tab Carbon (%s).", reason)
            return False
        return bool(found)

    def runs(self, request: Request) -> Served:
        """Return all runs.

        Args:
            request: The request.
        """
        runs = self._read(request)
        rows = [run.row(datetime.now(UTC)) for run in runs.values()]
        said = [_LESS, self._remedy()]
        if any(not run.is_whole for run in runs.values()):
            said.append(
                f"TensorBoard keeps {self._most:,} values of each curve. The energy of longer runs is not shown, "
                "because values are missing. Start TensorBoard with '--samples_per_plugin scalars=0' to keep all."
            )
        if any(row["metric"] for row in rows):
            said.append(
                "Scalars do not tell the name of the watched metric. Runs of several metrics may stand together."
            )
        folder, number = shown(self._folder), len(rows)
        return Served.json(runs_of(rows, folder=folder, read=number, of=number, source="scalars", said=said))

    def _remedy(self) -> str:
        if "://" in self._folder:
            return f"Copy {shown(self._folder)} to a folder of this machine to see everything."
        return "Start TensorBoard with '--logdir' and a folder that holds the ledgers (*.jsonl) to see everything."

    def run(self, request: Request) -> Served | None:
        """Return one run by its epochs. None if there is no such run.

        Args:
            request: The request, with ``key``.
        """
        run = self._read(request).get(request.args.get("key", ""))
        return None if run is None else Served.json(run.detail())

    def stop(self, request: Request) -> Served | None:
        """Refuse to replay a rule, which takes a ledger. None if there is no such run.

        Args:
            request: The request, with ``key``.
        """
        if request.args.get("key", "") not in self._read(request):
            return None
        return refused("A rule can be replayed only from the ledger of the run.", HTTPStatus.BAD_REQUEST)

    def _read(self, request: Request) -> dict[str, ScalarRun]:
        """Return the runs by their keys."""
        context, experiment = plugin_util.context(request.environ), plugin_util.experiment_id(request.environ)
        kept = self._kept
        if kept is not None and kept[1] == experiment and time.monotonic() - kept[0] < _PAUSE_SECONDS:
            return kept[2]
        found: dict[str, dict[str, Any]] = self._provider.read_scalars(
            context,
            experiment_id=experiment,
            plugin_name=PLUGIN_NAME,
            downsample=self._most,
            run_tag_filter=RunTagFilter(tags=TAGS),
        )
        runs = [ScalarRun.of(name, series, self._most) for name, series in sorted(found.items()) if series.get(TOTAL)]
        by_key = {run.key: run for run in runs if run.grams is not None}
        self._kept = time.monotonic(), experiment, by_key
        return by_key
