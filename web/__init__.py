"""The chatbot over HTTP: who is asking, routes, and live events. It imports `tasks`, and nobody imports it.

    app        all of it put together, from the settings
    access     who is asking, and what they may do; visibility says what they see of a todo
    api        the routes: publish, ask, unsubscribe
    live       events to browsers as they happen: WebSocket and Server-Sent Events
    cli        the commands `todo-workers web`, `bridge` and `token`

Each part can be mounted alone in somebody's own application.
"""
