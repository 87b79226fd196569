"""A real-time room engine: sockets, rooms, exact history, presence and buses. It knows no money."""
