"""Tokens and floating-point operations by the number of samples, where no framework counts them."""

from typing import NamedTuple

from green_callbacks.accountant.energy.observations import MAX_COUNT, MAX_FLOPS


class CountsPerSample(NamedTuple):
    """What the user knows of each training sample.

    Attributes:
        tokens: Tokens of a sample. Defaults to None, if unknown.
        flops: Floating-point operations of the training on a sample. Defaults to None, if unknown.
    """

    tokens: float | None = None
    flops: float | None = None

    @property
    def is_given(self) -> bool:
        """Whether any of them is known."""
        return self.tokens is not None or self.flops is not None

    def tokens_of(self, samples: int | None, counted: int | None) -> int | None:
        """Return the tokens of an interval.

        Args:
            samples: Its samples. None if unknown.
            counted: Its tokens, as they were counted. None if unknown.
        """
        if self.tokens is None or samples is None:
            return counted
        return min(round(samples * self.tokens), MAX_COUNT)

    def flops_of(self, samples: int | None, counted: float | None) -> float | None:
        """Return the floating-point operations of an interval.

        Args:
            samples: Its samples. None if unknown.
            counted: Its operations, as they were counted. None if unknown.
        """
        if self.flops is None or samples is None:
            return counted
        return min(samples * self.flops, MAX_FLOPS)
