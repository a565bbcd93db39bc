"""Paused queues and switches."""
