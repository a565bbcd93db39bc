"""`todo-workers demo`: the whole pool at work on this machine, watched and checked."""
