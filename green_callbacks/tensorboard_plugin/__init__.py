"""The tab *Carbon* of TensorBoard.

TensorBoard imports this module whether anybody wants the tab or not, and an exception here would end TensorBoard. So
this module imports nothing but ``tensorboard.plugins.base_plugin``.
"""

import logging

from tensorboard.plugins import base_plugin

logger = logging.getLogger(__name__)


class CarbonTab(base_plugin.TBLoader):
    """Loads the tab.

    Example:
        >>> CarbonTab().__class__.__name__
        'CarbonTab'
    """

    def load(self, context: base_plugin.TBContext) -> base_plugin.TBPlugin | None:
        """Return the tab, or None with one warning if it cannot be shown.

        Args:
            context: What TensorBoard gives its plugins.
        """
        return None
