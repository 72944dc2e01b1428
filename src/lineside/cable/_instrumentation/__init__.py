"""What a cable counts, measures and traces."""
