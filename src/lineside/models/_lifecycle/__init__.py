"""The way of a record into the database: callbacks, flush, effects of the transaction."""
