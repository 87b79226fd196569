"""One HTML page of the sandbox: its frame, its policy, its status."""

import base64
import hashlib
from html import escape
from typing import Final

from starlette.responses import HTMLResponse

from giftserver.sandbox.addresses import origin_of
from giftserver.sandbox.style import STYLE

_FRAME: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title} · Sandbox</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<header><p class="banner">Sandbox: no real money</p></header>
<main{wide}>
{content}
</main>
</body>
</html>
"""


def html_page(
    title: str, content: str, *, status: int = 200, return_url: str | None = None, wide: bool = False
) -> HTMLResponse:
    """A page with ready `content`; the title is escaped here. Forms may lead on to the origin of `return_url`."""
    page = _FRAME.format(
        title=escape(title), style=STYLE, content=content, wide=' class="wide"' if wide else ""
    )  # fmt: skip
    headers = {
        "cache-control": "no-store",
        "content-security-policy": _policy(return_url),
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return HTMLResponse(page, status, headers)


def not_found() -> HTMLResponse:
    """404 for an address that leads nowhere."""
    words = "This payment does not exist. Go back to the shop and start again."
    return html_page("Nothing here", f'<div class="card"><h1>Nothing here</h1><p>{words}</p></div>', status=404)


def _policy(return_url: str | None) -> str:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    # Browsers hold a form's redirect to form-action as well, and payments lead back to the merchant.
    back = f" {origin_of(return_url)}" if return_url is not None else ""
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'{back}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
