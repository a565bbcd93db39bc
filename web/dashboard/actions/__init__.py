"""What operators do to many dead letters at once: look first, then act; it can be stopped and resumed."""
