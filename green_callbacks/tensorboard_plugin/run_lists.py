"""The names of the runs that TensorBoard knows."""

from typing import Final

from tensorboard import plugin_util
from tensorboard.data.provider import DataProvider
from werkzeug.wrappers import Request

from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_NO_NAMES: Final = frozenset[str]()


class RunList:
    """Asks TensorBoard for the names of its runs, so that all tabs use the same names and colors.

    Args:
        provider: TensorBoard's own reader. None where it has none.
    """

    def __init__(self, provider: DataProvider | None) -> None:
        self._provider = provider
        self._has_said = False

    def names(self, request: Request) -> frozenset[str]:
        """Return the names. Empty, with one warning, if TensorBoard does not tell them.

        Args:
            request: The request for which they are needed.
        """
        if self._provider is None:
            return _NO_NAMES
        context, experiment = plugin_util.context(request.environ), plugin_util.experiment_id(request.environ)
        try:
            return frozenset(run.run_name for run in self._provider.list_runs(context, experiment_id=experiment))
        except Exception as reason:  # noqa: BLE001  any provider may be in use, and the names are not necessary
            if not self._has_said:
                self._has_said = True
                logger.warning(
                    "TensorBoard does not tell the names of its runs (%s). The tab Carbon names them by their folders, "
                    "so a run may have another color in other tabs.",
                    f"{type(reason).__name__}: {reason}",
                )
            return _NO_NAMES
