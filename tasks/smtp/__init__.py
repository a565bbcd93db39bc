"""Sends mails to an SMTP server over connections that are kept."""
