"""Serves `/livez`, `/readyz` and `/metrics` on one port for all processes of a worker."""

from .answers import NotInstalled
from .middleware import ServesHttp

__all__ = ["NotInstalled", "ServesHttp"]
