"""The doors of the bridge: a WebSocket and a stream, and who may come in."""
