"""giftserver: a gifting server for live streams, in which every coin is accounted for."""

__version__ = "0.1.0"
