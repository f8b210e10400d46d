"""The look of a run in a notebook."""

from importlib import import_module


class NotebookView:
    """Shows an object of a run as HTML where a notebook displays it.

    Example:
        >>> from green_callbacks.records import EpochRecord, History
        >>> History([EpochRecord.scripted(epoch=0, emissions_kg=0.5)])._repr_html_().startswith("<div")
        True
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        """Return the object as HTML, without a script and without anything from elsewhere."""
        # The words and tables are in rooms above this room. They are loaded when a notebook asks for them.
        return str(import_module("green_callbacks.summary.notebook").html_of(self))
