"""Texts to tokens: one string with its prompt, cut only when asked, counted when unreadable."""
