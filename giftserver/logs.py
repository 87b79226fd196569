"""Logging: structured lines, as JSON or for a terminal, that never carry secrets or personal data."""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

MASK = "***"
# A field whose name has one of these words is masked whatever it holds.
SECRET_WORDS = frozenset(
    {
        "token",
        "ticket",
        "secret",
        "password",
        "authorization",
        "cookie",
        "jwt",
        "bearer",
        "credential",
        "signature",
    }
)
PERSONAL_WORDS = frozenset({"email", "phone", "note"})
PERSONAL_NAMES = frozenset({"name", "sender_name", "creator_name", "display_name", "user_name"})
# Secrets inside a text: query strings, headers, URLs with a password, signed tokens, overlay addresses.
IN_TEXT = (
    (re.compile(r"(?i)\b((?:[\w-]*(?:ticket|token|secret|password))=)[^\s&\"'#]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"(://[^\s:/@]*:)[^\s@/]+@"), rf"\1{MASK}@"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), MASK),
    (re.compile(r"\b(DETAIL:\s+).+"), rf"\1{MASK}"),  # where PostgreSQL tells the values that it refuses
    (re.compile(r"(/overlay/)[^\s/?#\"']+"), rf"\1{MASK}"),
)
DEPTH_MAX = 6


def conceal(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Processor: masks fields named like secrets or personal data, and secrets inside any text."""
    return {name: concealed(name, value, DEPTH_MAX) for name, value in event.items()}


def concealed(name: str, value: Any, depth: int) -> Any:
    """The value as it may be logged under that name; below `depth` levels everything is masked."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if is_private(name) or depth == 0:
        return MASK
    if isinstance(value, Mapping):
        return {str(key): concealed(str(key), item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [concealed(name, item, depth - 1) for item in value]
    return conceal_text(value.decode(errors="replace") if isinstance(value, bytes) else str(value))


def is_private(name: str) -> bool:
    """Whether a field of this name holds a secret or personal data."""
    words = set(re.split(r"[^a-z]+", name.lower()))
    return bool(words & (SECRET_WORDS | PERSONAL_WORDS)) or name.lower() in PERSONAL_NAMES


def conceal_text(text: str) -> str:
    """The text without the secrets in it."""
    for pattern, replacement in IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def configure(
    log_format: Literal["json", "console"] = "json",
    log_level: Literal["debug", "info", "warning", "error"] = "info",
    stream: TextIO | None = None,
) -> None:
    """Send structlog and the standard library's logging, uvicorn's included, through one set of processors.

    Lines go to `stream`, standard error by default. Tracebacks carry no local variables.
    """
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            conceal,
            renderer,
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(log_level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"  # one line a request tells less than the metrics do
    sockets = (
        logging.DEBUG if log_level == "debug" else logging.WARNING
    )  # the metrics tell more than two lines a socket
    logging.getLogger("uvicorn.error.sockets").setLevel(sockets)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # it tells its plugins at every start
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request to a payment provider
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
