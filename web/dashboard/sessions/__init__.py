"""Who looks at the dashboard, what they may do, and where requests may come from."""
