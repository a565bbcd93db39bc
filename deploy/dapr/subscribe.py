"""Prints what the workers did, as Dapr delivers it: uvicorn --app-dir deploy/dapr subscribe:app"""

import base64
import json
import os
from typing import Any

from fastapi import FastAPI

app = FastAPI()


@app.get("/dapr/subscribe")
def subscriptions() -> list[dict[str, Any]]:
    topic = os.environ.get("KAFKA_NAMESPACE", "todo") + ".updates"
    # A record may be a batch of CloudEvents, which Dapr does not read: it hands on the bytes.
    return [
        {"pubsubname": "todo-log", "topic": topic, "route": "/updates", "metadata": {"rawPayload": "true"}}
    ]


@app.post("/updates")
def updates(delivery: dict[str, Any]) -> dict[str, str]:
    record = json.loads(base64.b64decode(delivery["data_base64"]))
    for update in record if isinstance(record, list) else [record]:
        print(update["type"], update["subject"], update["id"], flush=True)
    return {"status": "SUCCESS"}
