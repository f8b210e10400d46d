"""The bodies of the callbacks that report on the training data."""
