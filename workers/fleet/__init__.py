"""The worker processes that run: what each has applied, its version, and what it does, in the fleet topic."""
