"""What the workers did, told to whoever wants to know at once: records of the topic of updates."""
