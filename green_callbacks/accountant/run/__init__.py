"""One run while it is measured, with its epochs, its records and its close."""
