"""The live bridge: what happens to todos, to browsers as it happens."""
