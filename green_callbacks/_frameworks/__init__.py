"""The bodies of the adapters, one folder for each framework, and the parts that they share."""
