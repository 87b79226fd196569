"""Who somebody is: tokens of the platform, tickets for sockets, overlay links, and allowed origins."""
