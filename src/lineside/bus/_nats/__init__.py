"""What is kept, who is there and what is live, on NATS."""
