"""Being a member of a group: heartbeats, and leaving for processes that died."""
