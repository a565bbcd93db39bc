"""How errors, times and the progress of a work are shown to people. Imports nothing heavy by itself."""
