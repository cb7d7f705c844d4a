"""Training: losses, teacher vectors, the trainer, checkpoints that survive a kill."""
