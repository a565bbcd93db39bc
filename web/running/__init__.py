"""Runs an application of `web`: its server, its processes, and the line that says what they do."""
