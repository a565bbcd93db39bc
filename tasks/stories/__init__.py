"""The story of an event: what it caused, gathered from the database and from Kafka, and when.

story      one event's story as values
telling    gathers it
jobs       the event's jobs that are to be tried again, and those that were given up
"""
