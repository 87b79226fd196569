"""HTTP and WebSocket edges: endpoints, pages, health, and the documents that describe them."""
