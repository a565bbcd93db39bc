"""A long run of the chatbot under load, whose services are killed in a fixed random order.

::

    load ──► Kafka ──► two workers ──► PostgreSQL          killer: kills one of them, starts it again
                            └────────► mail server         sampler: memory, connections, files, rows, records

It passes if nothing is lost, nothing comes twice but what a kill explains, and nothing grows. Everything is
of its own: it starts all services on free ports, and ends them.
"""
