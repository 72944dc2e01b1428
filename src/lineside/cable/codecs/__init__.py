"""The protocols that lineside speaks over a WebSocket."""
