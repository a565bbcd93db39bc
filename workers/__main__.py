"""`python -m workers` is `todo-workers`."""

from .cli import main

main()
