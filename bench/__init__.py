"""Speed and memory of KafkaBroker, side by side with other pools, in one run on one machine.

`python -m bench` is the parent: it starts the servers, and each thing that is measured in a fresh process
of its own (`bench.child`), so that imports, memory and garbage of one do not weigh on another.
"""
