"""What can go wrong with an embedded engine.

```
Exception
├── EmbeddedError     the engines cannot run here; the text is one sentence that names the way out
├── NotReady          an engine does not answer yet (internal: the caller waits)
└── Foreign           something answers on the port, but it is not this folder's engine (internal)
```
"""


class EmbeddedError(Exception):
    """The embedded engines cannot run; `str(error)` is one sentence for the person at the terminal."""


class NotReady(Exception):
    """The engine does not accept commands yet."""


class Foreign(Exception):
    """The port answers, but not as the engine of this data folder."""
