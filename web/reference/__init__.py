"""The page of the routes at `/docs`. It stands on the dashboard's origin, so it runs nobody's script."""

from .page import add_reference

__all__ = ["add_reference"]
