"""A landing of a training, by the mechanism of the product."""

from landing.training import Training

from green_callbacks.accountant.landing import Course, OptimizerRates
from green_callbacks.records import Landing


def landed(training: Training, steps: int) -> Training:
    """Land a training, so that its rate goes linearly to 0 on top of its schedule.

    Args:
        training: The training, which goes on.
        steps: The length of the landing in steps.

    Returns:
        The same training, after the landing.
    """
    course, rates = Course(), OptimizerRates(lambda: [training.optimizer])
    epoch = training.steps // training.workload.epoch_steps
    course.landing = Landing(first_step=training.steps, steps=steps, epoch=epoch)
    course.at(training.steps)
    rates.begin(course)
    while training.steps < course.landing.end:
        training.step()
        course.at(training.steps)
    rates.end()
    return training
