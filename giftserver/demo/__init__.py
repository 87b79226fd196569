"""`giftserver demo`: every process of giftserver on this machine, over embedded engines."""
