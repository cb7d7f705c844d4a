"""Files of every kind into texts with places, PDFs into page images; a poisoned file is a reason."""
