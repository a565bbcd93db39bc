"""The dashboard with many dead letters."""
