"""The payment providers that the settings name."""

from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr

from giftserver.errors import WrongSetting
from giftserver.recharge.paypal import PayPalProvider
from giftserver.recharge.provider import Provider
from giftserver.recharge.sandbox import SandboxProvider
from giftserver.settings import Settings

PAYPAL_LIVE: Final = "https://api-m.paypal.com"
PAYPAL_SANDBOX: Final = "https://api-m.sandbox.paypal.com"


def open_providers(settings: Settings) -> Mapping[str, Provider]:
    """A client for each, by name. Raises WrongSetting when one cannot be used as it is set up."""
    return {name: _open(name, settings) for name in settings.payments}


def _open(name: str, settings: Settings) -> Provider:
    openers = {"sandbox": _sandbox, "stripe": _stripe, "paypal": _paypal}
    if name not in openers:
        raise WrongSetting(f"GIFTSERVER_PAYMENTS names {name!r}, which there is not: {', '.join(openers)}")
    return openers[name](settings)


def _sandbox(settings: Settings) -> Provider:
    if settings.production:
        raise WrongSetting("GIFTSERVER_PAYMENTS names sandbox, whose money is pretended: not in production")
    url, secret, webhook = _needed(
        settings, "sandbox", ("sandbox_url", "sandbox_secret", "sandbox_webhook_secret"),
        ", and start it with `giftserver sandbox`",
    )  # fmt: skip
    return SandboxProvider(url, secret, webhook)


def _stripe(settings: Settings) -> Provider:
    key, webhook = _needed(settings, "stripe", ("stripe_secret_key", "stripe_webhook_secret"))
    if not key.startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")):
        raise WrongSetting("GIFTSERVER_STRIPE_SECRET_KEY is none of Stripe's secret keys: sk_test_…, sk_live_…, rk_…")
    if settings.production and "_test_" in key[:8]:
        raise WrongSetting("GIFTSERVER_STRIPE_SECRET_KEY is of the test mode: not in production")
    try:
        from giftserver.recharge.stripe import StripeProvider
    except ModuleNotFoundError as problem:
        if problem.name != "stripe":
            raise
        raise WrongSetting(
            "GIFTSERVER_PAYMENTS names stripe, whose library is missing: `pip install giftserver[payments]`"
        ) from None
    return StripeProvider(key, webhook)


def _paypal(settings: Settings) -> Provider:
    id, secret, webhook = _needed(settings, "paypal", ("paypal_client_id", "paypal_client_secret", "paypal_webhook_id"))
    if settings.production and not settings.paypal_live:
        raise WrongSetting(
            "GIFTSERVER_PAYMENTS names paypal, whose money is pretended: GIFTSERVER_PAYPAL_LIVE is false"
        )
    return PayPalProvider(
        id, secret, webhook, api_base=PAYPAL_LIVE if settings.paypal_live else PAYPAL_SANDBOX, live=settings.paypal_live
    )


def _needed(settings: Settings, provider: str, names: tuple[str, ...], more: str = "") -> list[str]:
    """The values of the settings a provider needs. Raises WrongSetting, which names those that are missing."""
    values = [getattr(settings, name) for name in names]
    missing = [f"GIFTSERVER_{name.upper()}" for name, value in zip(names, values, strict=True) if not _plain(value)]
    if missing:
        raise WrongSetting(f"GIFTSERVER_PAYMENTS names {provider}: set {' and '.join(missing)}{more}")
    return [_plain(value) for value in values]


def _plain(value: SecretStr | str | None) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value or ""
