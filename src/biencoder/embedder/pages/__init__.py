"""Page images in, unit vectors out: the road of pages beside that of texts."""
