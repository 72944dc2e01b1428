"""A to-do app as it was before lineside: plain SQLModel, a sync session, one module of models."""
