"""The live bridge under load, and a plain WebSocket application beside it."""
