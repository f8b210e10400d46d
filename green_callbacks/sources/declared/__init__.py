"""Sources whose energy the user declares: a function, a constant for the rest of the machine, or a script."""
