"""Servers that broadcast what one publisher sends: ours, and what a user would otherwise pick.

Each listens on 127.0.0.1 and the port it is given, takes viewers on `/` and one publisher on `/publish`, and sends
every message of the publisher to every viewer.
"""
