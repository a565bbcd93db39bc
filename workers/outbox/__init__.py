"""A transactional outbox: records that an application stores with its own data, and their relay to Kafka.

A record that is added to a session is a row of the table `outbox` in that session's transaction: committed,
it is written to Kafka at least once; rolled back, never. Nothing here knows of jobs or events.

- ``session``, ``adding``: puts a record into the caller's session; ``table``: the table that they go into
- ``relay``: a thread that relays; ``writing``: what it does; ``in_hand``: which row may go next, without I/O
- ``leading``: one relay of a database works at a time; ``changes``: wakes a relay after a commit
- ``outbox``: looks into an outbox, for commands; ``statements``: the SQL of all of them

Only ``session`` can be imported without SQLAlchemy.
"""
