"""Records that belong to each other, and what happens to the others."""
