"""The chatbot's database, SQLite or PostgreSQL: engine, transactions, schema and migrations."""
