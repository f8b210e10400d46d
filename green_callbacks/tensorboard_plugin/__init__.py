"""The tab *Carbon* of TensorBoard.

TensorBoard imports this module whether anybody wants the tab or not, and an exception here would end TensorBoard. So
this module imports nothing but ``tensorboard.plugins.base_plugin``, and all else only where a fault is caught.
"""

import logging

from tensorboard.plugins import base_plugin

logger = logging.getLogger(__name__)


class CarbonTab(base_plugin.TBLoader):  # type: ignore[misc]  # TensorBoard has no types
    """Loads the tab.

    Example:
        >>> CarbonTab().load(base_plugin.TBContext(logdir="logs")).plugin_name
        'green_callbacks'
    """

    def load(self, context: base_plugin.TBContext) -> base_plugin.TBPlugin | None:
        """Return the tab, or None with one warning if it cannot be shown.

        Args:
            context: Describes this TensorBoard, such as its log folder.
        """
        try:
            from green_callbacks.tensorboard_plugin.plugin import CarbonPlugin

            return CarbonPlugin(context)
        except (Exception, SystemExit) as reason:  # noqa: BLE001  no fault of this tab may end TensorBoard
            logger.warning(
                "TensorBoard starts without the tab Carbon, because green_callbacks cannot be loaded (%s). Run "
                "'pip install --force-reinstall \"green-callbacks[tensorboard]\"', or report the fault.",
                f"{type(reason).__name__}: {reason}"[:1000].encode("unicode_escape").decode(),
            )
            return None
