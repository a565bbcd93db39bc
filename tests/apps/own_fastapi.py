"""An own FastAPI application that includes the routes of the chatbot, as docs/http.md shows; for uvicorn."""

from __future__ import annotations

from fastapi import FastAPI

from web.api import kafka_router

app = FastAPI()
app.include_router(kafka_router(), prefix="/todo")


@app.get("/idle")
async def idle() -> str:
    """Answer without any work, as long as the event loop is free."""
    return "idle"
