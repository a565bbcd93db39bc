"""The jobs of the chatbot, as dramatiq runs them: each actor parses its arguments, calls and logs.

An actor imports what it works with when it runs: whatever only publishes imports the actors, too.
"""
