"""A folder of documents as a searchable index that survives whatever happens to its writer."""
