"""What adapters share whose models are trained with torch."""
