"""``/v1/embeddings``: a body becomes texts with a role, and vectors become an answer."""
