"""`python -m workers` is `todo-workers`."""

from .cli.main import main

main()
