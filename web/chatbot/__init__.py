"""The chatbot's pages of the dashboard: reminders, notifications, the audit trail, an event's story."""
