"""What carries frames: handshakes, wires, and the seam to the server."""
