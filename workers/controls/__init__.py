"""What operators decide, and what a process makes of it: paused queues, and switches that take jobs out.

`decision` and `state` are values and pure; `gate` is asked before each job; `follower` reads the control
topic; `controls` writes to it and waits until the fleet has confirmed.
"""
