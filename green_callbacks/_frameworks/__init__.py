"""The bodies of the adapters, one folder for each framework, and what they share."""
