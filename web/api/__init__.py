"""The chatbot's routes: publish events, ask what became of them. Includable in any FastAPI application.

router               all of the routes
events               publish, for services and Dapr
problems             every error as a problem of RFC 9457
services             what the routes call
asking               who may ask
"""

from .router import kafka_router

__all__ = ["kafka_router"]
