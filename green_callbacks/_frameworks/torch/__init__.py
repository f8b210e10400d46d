"""Parts that adapters share if their models are trained with torch."""
