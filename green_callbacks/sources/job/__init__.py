"""What part of the machine this job has: processors, memory, control groups and processes."""
