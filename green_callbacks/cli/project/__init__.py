"""``green-callbacks project``, which shows the shared budget of a project, and sets it."""
