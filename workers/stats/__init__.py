"""The history of the fleet's work, kept in a topic: the last hour by minutes, thirty days by hours.

Each worker process writes what it counted (`recorder`); `reader` adds the processes up, for charts and for
`todo-workers stats`; `tidying` keeps the topic small. The figures are those that `/metrics` shows.
"""
