"""The landing of a run, in which the learning rate goes to 0 before the training stops."""

from green_callbacks.accountant.landing.course import Course
from green_callbacks.accountant.landing.optimizer_rates import OptimizerRates
from green_callbacks.accountant.landing.rates import Rates

__all__ = ["Course", "OptimizerRates", "Rates"]
