"""Many texts into few packed batches: sorted by length, cut at a token budget, never padded."""
