"""The cable in a FastAPI app: its router, what is injected, the HTTP API and Server-Sent Events."""
