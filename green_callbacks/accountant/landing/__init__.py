"""The landing of a run, in which the learning rate goes to 0 before the training stops."""
