"""What the demo asks its own web process: is it ready, and where are the pages."""

import http.client
import json
from dataclasses import dataclass
from typing import Any

from giftserver.settings import ANYWHERE, Settings

ANSWER_S = 2.0


@dataclass(frozen=True)
class Web:
    """The demo's web process, seen from this machine."""

    host: str
    port: int

    @classmethod
    def of(cls, settings: Settings) -> "Web":
        """The web process of these settings; one that listens everywhere is asked on the loopback address."""
        return cls("127.0.0.1" if settings.host in ANYWHERE else settings.host, settings.port)

    @property
    def base_url(self) -> str:
        """Address to open in a browser on this machine."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def ready(self) -> bool:
        """Whether /readyz says that gifts can be sent."""
        status, _ = self._ask("GET", "/readyz")
        return status == 200

    def pages(self) -> list[tuple[str, str]]:
        """Name and address of each page; the overlay's carries its own key."""
        pages = [(name, self.base_url + path) for name, path in (("viewer", "/"), ("studio", "/studio"))]
        if overlay := self._overlay_url():
            pages.append(("overlay", overlay))
        return [*pages, *((name, f"{self.base_url}/{name}") for name in ("wallet", "ops", "metrics"))]

    def _overlay_url(self) -> str | None:
        _, answer = self._ask("GET", "/demo/people")
        creator = next((person for person in answer.get("people", []) if person.get("room")), None)
        if creator is None:
            return None
        _, answer = self._ask("POST", "/demo/token", {"id": creator["id"]})
        headers = {"Authorization": f"Bearer {answer.get('token', '')}"}
        _, answer = self._ask("GET", f"/v1/studio/{creator['room']}", headers=headers)
        url = answer.get("overlay_url")
        return self.base_url + url if isinstance(url, str) and url.startswith("/") else url

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=ANSWER_S)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json", **(headers or {})})
            response = connection.getresponse()
            status, text = response.status, response.read()
            answer = json.loads(text)
        except ValueError:
            return status, {}
        except (OSError, http.client.HTTPException):
            return 0, {}
        finally:
            connection.close()
        return status, answer if isinstance(answer, dict) else {}
