"""What stands in the topic of dead letters: a letter as a record, the job that it keeps, tombstones."""
