"""The part of the machine that belongs to this job, in processors, memory, control groups and processes."""
