"""Is this checkpoint loaded right, and is this machine set up right? Findings for people and scripts."""
