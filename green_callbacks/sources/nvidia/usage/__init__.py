"""The use of an NVIDIA GPU. It is what the GPU does, who else uses it, and what part of its energy this job uses."""
