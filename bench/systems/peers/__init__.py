"""Other task queues, doing the same."""
