"""What happens beside training: the ledger, the sinks, and the threads that write and watch."""
