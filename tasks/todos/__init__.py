"""The chatbot's todos in its database; each change is published with its transaction."""
