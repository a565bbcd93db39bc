"""Brings about the effects of events, many at a time: audit rows, reminders, mails.

One thread of the process, `engine`, takes the events that wait, stage by stage: code that does the same for
many events in a row costs half of what it costs for each in turn, and a transaction is shared by all. ::

    worker threads ──► settle ──► read ──► compose ──► commit ──► hand over ──► the mailer
                         ▲                               │                          │
                         │ answers of the mail server    └─► what fails, alarms:    │
                         │                                   jobs in Kafka          │
                         └──────────────────────────────────────────────────────────┘

    event_in_hand   an event and its effects; it ends when each of them is done or has become a job
    batch           the stages of a batch: read, compose, commit
    mails           the mails that the mail server has not answered, or whose answer is not recorded
    later           makes jobs of what is left, and sets alarms, on a thread of its own: Kafka may be slow
    engine          the thread that runs it all
"""
