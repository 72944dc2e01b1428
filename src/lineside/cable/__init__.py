"""Channels over WebSockets: Action Cable, GoHub and Gor, laid beside a FastAPI app."""
