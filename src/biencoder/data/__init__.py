"""Training data: rows with their source and licence, held-out splits, leakage checks."""
