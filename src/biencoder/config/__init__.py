"""What a model is: its sizes, its dialect on disk, the family's table. No torch here."""
