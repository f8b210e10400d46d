"""Other users of an NVIDIA GPU, and the part of its energy that belongs to this job."""
