"""What the parts of the cable say to each other: commands, events, frames, limits and ports."""
