"""A small blog: first as a plain FastAPI app (`before`), then adopted step by step."""
