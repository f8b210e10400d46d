"""The registry of small files in the folder of a project."""
