"""A model behind a server that speaks ``/v1/embeddings``: what it states, asking it, its refusals."""
