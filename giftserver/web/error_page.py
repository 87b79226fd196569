"""The page for what cannot be shown, in human words."""

from html import escape
from typing import Final

from starlette.responses import HTMLResponse

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="theme-color" content="#0e0b16">
  <title>{title} · giftserver</title>
  <link rel="icon" href="/static/gifts/lantern-fly.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/static/css/base.css">
  <link rel="stylesheet" href="/static/css/ui.css">
</head>
<body>
  <main class="gate">
    <h1>{title}</h1>
    <p>{words}</p>
    <p><a class="button" href="/">See who is live</a></p>
  </main>
</body>
</html>
"""


def error_page(status: int, title: str, words: str) -> HTMLResponse:
    """A whole page with a title, a sentence and the way on; nobody stores it."""
    page = _PAGE.format(title=escape(title), words=escape(words))
    return HTMLResponse(page, status, {"cache-control": "no-store"})


def nothing_here() -> HTMLResponse:
    """404 for an address that leads nowhere."""
    return error_page(404, "There is nothing here", "This address leads nowhere. It may have been mistyped or moved.")
