"""The search page and its calls: questions, documents, judgements."""
