"""Server-Sent Events: the cable over plain HTTP, for clients that only listen."""
