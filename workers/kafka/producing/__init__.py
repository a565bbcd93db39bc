"""The producer that loses no record: connection, idempotence, answers to threads and event loops."""
