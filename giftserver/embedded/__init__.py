"""Private Valkey and PostgreSQL servers, started when no URL of a real one is set.

Nothing of the wheels is imported until an engine is started. What runs in one data folder belongs to the
process that started it; another process on the same folder attaches to it.
"""

from giftserver.embedded.errors import EmbeddedError
from giftserver.embedded.instance import EngineUrls, Instance, running, was_here

__all__ = ["EmbeddedError", "EngineUrls", "Instance", "running", "was_here"]
