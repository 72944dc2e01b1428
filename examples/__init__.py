"""Complete apps to read and to run; each has its own tests."""
