"""An application whose route reads a body and says that it is accepted: what a route costs in any case."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

app = FastAPI()


@app.post("/events")
async def accept(request: Request) -> Response:
    """Accept anything."""
    await request.body()
    return Response(b"{}", 202, media_type="application/json")


@app.get("/readyz")
async def readyz() -> dict[str, str]:
    """Say that it is ready."""
    return {"status": "ok"}
