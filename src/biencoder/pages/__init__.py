"""Page images: opened within limits, the rule by which they are cut, a small one for the eye."""
