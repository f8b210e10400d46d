"""What speaks against a sensor of a GPU, so that another is taken in its place."""

from green_callbacks.sources.nvidia.counter.interpolation import Look


class UntrustworthyError(Exception):
    """A counter or a buffer stands still, or contradicts the power.

    Args:
        flag: One word for it.
        why: What was seen.
        last: The last look that can be trusted.
    """

    def __init__(self, flag: str, why: str, last: Look) -> None:
        super().__init__(why)
        self.flag = flag
        self.last = last
