"""The body of the adapter for Hugging Face's ``Trainer``."""
