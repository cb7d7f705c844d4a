"""Files of every kind into texts with places; a poisoned file is a reason, never the end."""
