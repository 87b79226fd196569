"""The sandbox: a pretend payment provider that speaks HTTP like a real one, with mischief on demand."""
