"""Traces with OpenTelemetry: nothing at all unless the process has set a provider.

    request ──► send {topic} ──► process {topic} ──┬─► send {topic} ──► ...
      PRODUCER: its context is in the headers      └─► smtp send, audit append
                                CONSUMER

The context rides in a record's headers ``traceparent`` and ``tracestate``. They stay as they are through
delays, retries, dead letters and replays, so each attempt is a child of the span that sent the job.

    names        all names that are in a span
    active       whether there is a provider, and what the rest of the code calls; never imports OpenTelemetry
    spans        makes spans; imported once there is a provider
    environment  sets a provider for a process of ours, if the variables OTEL_* ask for that
"""
