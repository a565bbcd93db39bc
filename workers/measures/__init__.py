"""What this process measures of itself: counts, lengths of time, and how processes put theirs together.

Always on and without I/O, so that `/metrics` and the history in Kafka show the same figures. A metric is a
constant of a module (`metrics`, `catalogue`), the busiest are in `jobs` and `sends`; `families.merged`
adds up those of several processes.
"""
