"""Mails people what happened: from a notice to one mail.

A *notice* is one piece of news for one person, sent once. Its *delivery* is the work of sending it, and the
row that records how far that is. A *mail* is the message that a mail server takes. A *notification* is the
notice that an event makes, as the actor `send_notification` and its queue call it.
"""
