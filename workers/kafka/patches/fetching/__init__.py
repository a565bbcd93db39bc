"""Reading records: which are asked for, and what is made of the answer. Each fetcher builds on another::

Fetcher (kafka-python's) ◄─ pausing ◄─ damaged_logs ◄─ lost_records ◄─ bounded ◄─ waiting
"""
