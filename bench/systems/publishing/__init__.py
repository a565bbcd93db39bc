"""Ways to publish an event: in process, over HTTP, with a transaction."""
