"""The ledger and the sinks of a run, and the threads that feed and watch them."""
