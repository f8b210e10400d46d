"""What is trained, by name. No framework is imported here."""

from typing import Final

FULL: Final = "full plan"
FEWER: Final = "fewer epochs"
FASTER: Final = "fewer epochs, 1.5 times the rate"
BATCHES: Final = "half the batches"
STATIC: Final = "static half"
INFOBATCH: Final = "InfoBatch"
MEAN_1: Final = "InfoBatch, mean weight 1"
HARD: Final = "hard half"
FOR_GOOD: Final = "hard half for good"

METHODS: Final = (FULL, FEWER, FASTER, BATCHES, STATIC, INFOBATCH, MEAN_1, HARD, FOR_GOOD)
"""All methods, in the order of the tables."""
SWEPT: Final = (FULL, FEWER, INFOBATCH, HARD)
"""Methods that are trained at more learning rates, where a training is short."""
AUDITED: Final = (INFOBATCH, FEWER, FASTER)
"""A trick, and the references that it must beat."""
CENTRAL: Final = (FULL, FEWER, FASTER, INFOBATCH, MEAN_1, HARD)
"""Methods that are trained where a training takes long."""
SCALED: Final = (*AUDITED, MEAN_1)
"""Methods that are also trained with an optimizer that takes no notice of the scale of a loss."""

SETS: Final = ("digits", "digits, 20 % wrong labels", "mnist1d")
"""Workloads that are trained at several learning rates."""
ADAM: Final = "mnist1d, AdamW"
"""Workload with an optimizer that takes no notice of the scale of a loss."""

LOW: Final = 1.0
"""Factor on the low learning rate of a workload, at which runs still learn when they end. It is 1 by definition."""
TUNED: Final = 8.0
"""Factor on the low learning rates at which the whole plan reaches most, or nearly so, by experiment."""
OTHERS: Final = (16.0, 4.0)
"""More factors on the low learning rates, on both sides of the tuned factor."""
MANY, FEW = 10, 5
"""Number of runs of most groups, and of groups that take long or only show which rate is best."""
