"""What is kept and who is there, in this process alone."""
