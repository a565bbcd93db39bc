"""Benchmarks of what is met over HTTP."""
