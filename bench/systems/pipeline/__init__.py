"""The chatbot's whole pipeline as a contestant: from events in the log to mails and audit rows."""
