"""Schemas derived from a model: what comes in, what goes out."""
