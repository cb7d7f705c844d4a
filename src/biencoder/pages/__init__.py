"""Page images to pixels: opened within limits, cut into tiles by the model's rule."""
