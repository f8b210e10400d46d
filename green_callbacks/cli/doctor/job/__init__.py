"""What the doctor finds about the processors of this job, and about Slurm."""
