"""Makes the topics that are missing, also on a cluster that allows less than Kafka does."""
