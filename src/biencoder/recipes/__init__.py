"""Recipes: a command, its cost, its expected score, as plain Python. Nothing imports them but the CLI."""
