"""What each process has: logs, a health file, threads that restart, its collector of garbage."""
