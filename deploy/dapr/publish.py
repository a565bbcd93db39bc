"""Publishes an event through Dapr's sidecar on DAPR_HTTP_PORT: its arguments are a todo's id and title."""

import json
import os
import sys
import urllib.parse
import urllib.request
import uuid

todo_id, title = sys.argv[1:]
topic = os.environ.get("KAFKA_NAMESPACE", "todo") + ".events"
options = {
    # What the event is. Without it the type is com.dapr.event.sent, of which only an audit row comes.
    "metadata.cloudevent.type": "todo.created",
    # With an id of its own it may be published again after an error, and has its effects once.
    "metadata.cloudevent.id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{todo_id}/created")),
    # Events of one todo stay in order.
    "metadata.partitionKey": todo_id,
}
url = f"http://127.0.0.1:{os.environ.get('DAPR_HTTP_PORT', '3500')}/v1.0/publish/todo-log/{topic}"
data = {
    "actor": "user:ana",
    "todo": {"id": todo_id, "title": title, "owner": {"name": "Ana", "email": "ana@example.com"}},
}
request = urllib.request.Request(
    f"{url}?{urllib.parse.urlencode(options)}",
    data=json.dumps(data).encode(),
    headers={"Content-Type": "application/json"},
)
with urllib.request.urlopen(request, timeout=10) as answer:
    print(f"published: {answer.status}")
