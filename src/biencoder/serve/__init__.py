"""One server for embeddings and search, with the contracts that NIM and OpenAI clients speak."""
