"""A transactional outbox: records that an application stores with its own data, and their relay to Kafka.

A record that is added to a session is a row of the table `outbox` in that session's transaction: committed,
it is written to Kafka at least once; rolled back, never. Nothing here knows of jobs or events.

- ``session``, ``adding``: puts a record into the caller's session; ``table``: the table that they go into
- ``relay``: writes the rows to Kafka, on a thread; ``in_hand``: which row may go next, without I/O
- ``store``: reads, deletes and sets aside rows; ``leading``: one relay of a database works at a time
- ``changes``: wakes a relay after a commit

Only ``session`` can be imported without SQLAlchemy.
"""
