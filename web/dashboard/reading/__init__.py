"""Reads from Kafka for all viewers at once, and only while somebody looks."""
