"""How a connection is secured, and who logs in."""
