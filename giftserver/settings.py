"""Every setting of giftserver, read from the environment in this file and nowhere else."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from giftserver.cluster.address import check
from giftserver.rules.numbers import NAMES, ORDERS_HOUR

ANYWHERE = ("0.0.0.0", "::", "")
"""Addresses to listen on that mean all of the machine's."""

STATIC_DIR = Path(__file__).resolve().parent.parent / "static"


class Settings(BaseSettings):
    """Settings of one process; each is the environment variable GIFTSERVER_<NAME>.

    Units are the last word of a name. Engines whose URL is unset are started privately in `data_dir`.
    """

    model_config = SettingsConfigDict(env_prefix="GIFTSERVER_", extra="ignore", frozen=True)

    # Engines
    ledger_redis_url: str | None = Field(
        None, description="Redis/Valkey of the ledger, redis://… or redis+cluster://h1:p1,h2:p2; unset: embedded"
    )
    rooms_redis_url: str | None = Field(
        None, description="Redis/Valkey of the rooms, redis://… or redis+cluster://h1:p1,h2:p2; unset: embedded"
    )
    database_url: str | None = Field(None, description="PostgreSQL, postgresql://…; unset: embedded")
    data_dir: Path = Field(Path(".giftserver"), description="Folder of the embedded engines")

    # Web
    host: str = Field("127.0.0.1", description="Address the web process listens on")
    port: int = Field(8000, ge=0, le=65535, description="Port the web process listens on")
    public_url: str | None = Field(
        None,
        description="URL people reach the server at; unset: http://host:port, localhost, and its addresses in numbers",
    )
    edge: bool = Field(True, description="Sockets are carried without a task each; false: as plain ASGI, slower")
    static_dir: Path = Field(STATIC_DIR, description="Folder of the pages")
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins allowed besides public_url, comma separated, such as https://example.org"
    )
    metrics_token: SecretStr | None = Field(
        None, description="Bearer token for the web's /metrics, at least 32 bytes; unset: open, in production not there"
    )
    metrics_port: int = Field(0, ge=0, le=65535, description="Metrics of flusher and worker; 0: not served")
    log_format: Literal["json", "console"] = Field("json", description="json or console")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged")

    # Identity
    jwt_secret: SecretStr | None = Field(None, description="HS256 secret, at least 32 bytes")
    jwt_jwks_url: str | None = Field(None, description="URL of the platform's JWKS (RS256, ES256)")
    jwt_jwks_file: Path | None = Field(None, description="File with the platform's JWKS (RS256, ES256)")
    jwt_issuer: str = Field("giftserver", description="Required `iss`")
    jwt_audience: str = Field("giftserver", description="Required `aud`")
    jwt_leeway_s: int = Field(30, ge=0, le=300, description="Clock difference allowed in `exp`, `nbf`, `iat`")
    link_secret: SecretStr | None = Field(None, description="Signs overlay links, at least 32 bytes; unset: jwt_secret")
    watch_without_identity: bool = Field(True, description="Viewers without a token may watch")
    demo: bool = Field(False, description="Demo people, free top-ups and the who-are-you switch; never in production")

    # Rooms
    heartbeat_s: int = Field(20, ge=1, le=25, description="Longest silence on a socket")
    tick_ms: int = Field(20, ge=0, le=200, description="Fan-out tick of a busy room")
    fanout_share: float = Field(
        0.36,
        ge=0.1,
        le=1,
        description="Of a core, what writing to viewers should take: more makes ticks shorter",
    )
    small_below_coins: int = Field(
        100, ge=1, description="Gifts below this are put together for viewers when a room is busy; others never"
    )
    combo_window_ms: int = Field(3_000, ge=500, le=60_000, description="A combo ends this long after its last gift")
    history_events: int = Field(1_000, ge=100, le=100_000, description="Events a room keeps for resuming")
    history_ttl_s: int = Field(86_400, ge=600, description="A silent room's history is forgotten after this")
    presence_s: float = Field(1.0, gt=0, le=10, description="How often viewer counts are shared")

    # Limits, each named by the error it causes
    message_bytes: int = Field(16_384, ge=1_024, description="Longest message a client may send")
    commands_per_s: int = Field(50, ge=1, description="Commands a second of one connection (burst: double)")
    gifts_per_s: int = Field(30, ge=1, description="Gifts a second of one user on one process (burst: double)")
    sockets_per_user: int = Field(10, ge=1, description="Open sockets of one user on one process")
    sockets_per_address: int = Field(2_000, ge=1, description="Open sockets of one address on one process")
    orders_per_address: int = Field(
        ORDERS_HOUR, ge=1, description="Orders that one address may try within an hour on one process"
    )
    rooms_per_process: int = Field(10_000, ge=1, description="Rooms open on one process")
    offender_wait_s: float = Field(
        3.0,
        ge=0,
        le=30,
        description="How long a handshake waits whose sender misbehaved again and again; 0: not at all",
    )
    accepts_per_s: int = Field(2_000, ge=1, description="Sockets accepted a second by one process")
    outbox_bytes: int = Field(1_048_576, ge=65_536, description="Unsent bytes at which a slow viewer is closed (4008)")

    # Money
    backlog_max: int = Field(1_000_000, ge=1_000, description="Unflushed gifts of one shard before backpressure")
    ledger_timeout_s: float = Field(2.0, gt=0, le=30, description="After this a ledger call's outcome is unknown")
    verify_every_s: float = Field(3_600, ge=0, description="The worker proves the ledger this often; 0: never")
    receipt_key_file: Path | None = Field(
        None, description="PEM of the Ed25519 key that signs receipts; unset: no receipts, but in the demo"
    )
    receipt_old_keys_file: Path | None = Field(None, description="JWKS of earlier receipt keys, to publish still")
    payments: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Ways to pay, comma separated: sandbox, stripe, paypal; none: coins are not sold"
    )
    sandbox_url: str | None = Field(None, description="URL of the payment sandbox (`giftserver sandbox`)")
    sandbox_secret: SecretStr | None = Field(None, description="Key for the sandbox's API")
    sandbox_webhook_secret: SecretStr | None = Field(None, description="Signs the sandbox's webhooks")
    stripe_secret_key: SecretStr | None = Field(None, description="Stripe's key, sk_… or rk_…; of test or live mode")
    stripe_webhook_secret: SecretStr | None = Field(None, description="Signs Stripe's webhooks, whsec_…")
    paypal_client_id: str | None = Field(None, description="Client id of the PayPal app")
    paypal_client_secret: SecretStr | None = Field(None, description="Secret of the PayPal app")
    paypal_webhook_id: str | None = Field(None, description="PayPal's id of the webhook that is sent here")
    paypal_live: bool = Field(False, description="The PayPal app takes real money; false: it is of PayPal's sandbox")
    default_country: str = Field(
        "US", pattern="^[A-Z]{2}$", description="Country (ISO 3166) of people whose token has no `country`"
    )
    limit_day_coins: int = Field(
        35_000, ge=-1, le=10**12,
        description="Coins a day that somebody sends, and buys, who chose no limit; about 500 USD; -1: any",
    )  # fmt: skip
    limit_first_day_coins: int = Field(
        7_000, ge=-1, le=10**12, description="Coins that somebody buys until a day after their first purchase; -1: any"
    )
    minors: Literal["never", "guardian"] = Field(
        "never", description="Who is below the age of their country sends and buys: never, or with a guardian"
    )
    payments_quiet_s: float = Field(
        120, gt=0, description="The provider is asked about an open payment that nothing was heard of for so long"
    )
    rules_every_s: float = Field(
        60, ge=0, description="The worker follows the rules that open cases this often; 0: never"
    )
    rules_hold: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description=f"Rules whose cases hold the wallet, comma separated, of {', '.join(NAMES)}; none: people do",
    )
    production: bool = Field(False, description="Refuse engines that could lose an acknowledged gift")
    failpoints: str = Field(
        "", description="Tests only: places where the process ends itself, such as flush.after_commit:3"
    )
    drain_s: float = Field(10.0, ge=0, le=60, description="Time in-flight gifts have to finish on SIGTERM")

    @model_validator(mode="before")
    @classmethod
    def _split_lists(cls, values: object) -> object:
        if isinstance(values, dict):
            for name in ("allowed_origins", "payments", "rules_hold"):
                if isinstance(values.get(name), str):
                    parts = values[name].split(",")
                    values = {**values, name: tuple(part.strip() for part in parts if part.strip())}
        return values

    @model_validator(mode="after")
    def _check_secrets(self) -> "Settings":
        for name in ("jwt_secret", "link_secret", "metrics_token"):
            secret: SecretStr | None = getattr(self, name)
            if secret is not None and len(secret.get_secret_value().encode()) < 32:
                raise ValueError(
                    f"GIFTSERVER_{name.upper()} is shorter than 32 bytes: `openssl rand -hex 32` makes one"
                )
        return self

    @model_validator(mode="after")
    def _check_production(self) -> "Settings":
        if self.production and self.demo:
            raise ValueError(
                "GIFTSERVER_DEMO lets anybody be anybody, with any coins: not in production. Unset GIFTSERVER_DEMO, or "
                "unset GIFTSERVER_PRODUCTION to try things out"
            )
        return self

    @model_validator(mode="after")
    def _check_redis_urls(self) -> "Settings":
        for name in ("ledger_redis_url", "rooms_redis_url"):
            url: str | None = getattr(self, name)
            if url is not None:
                try:
                    check(url)
                except ValueError as problem:
                    raise ValueError(f"GIFTSERVER_{name.upper()} {problem}") from None
        return self

    @field_validator("rules_hold")
    @classmethod
    def _check_rules(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := sorted(set(rules) - set(NAMES)):
            raise ValueError(f"there is no rule {', '.join(wrong)}: the rules are {', '.join(NAMES)}")
        return rules

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("postgresql://", "postgres://")):
            raise ValueError("must be postgresql://user:password@host:port/name")
        return url

    @property
    def base_url(self) -> str:
        """URL people reach the server at, without a trailing slash."""
        host = "127.0.0.1" if self.host in ANYWHERE else self.host
        shown = f"[{host}]" if ":" in host else host
        return (self.public_url or f"http://{shown}:{self.port}").rstrip("/")
