"""The payment providers that the settings name."""

from collections.abc import Mapping

from giftserver.errors import WrongSetting
from giftserver.recharge.provider import Provider
from giftserver.recharge.sandbox import SandboxProvider
from giftserver.settings import Settings


def open_providers(settings: Settings) -> Mapping[str, Provider]:
    """A client for each, by name. Raises WrongSetting when one cannot be used as it is set up."""
    return {name: _open(name, settings) for name in settings.payments}


def _open(name: str, settings: Settings) -> Provider:
    if name != "sandbox":
        raise WrongSetting(f"GIFTSERVER_PAYMENTS names {name!r}, which there is not: sandbox")
    if settings.production:
        raise WrongSetting("GIFTSERVER_PAYMENTS names sandbox, whose money is pretended: not in production")
    url, secret, webhook = settings.sandbox_url, settings.sandbox_secret, settings.sandbox_webhook_secret
    if url is None or secret is None or webhook is None:
        raise WrongSetting(
            "GIFTSERVER_PAYMENTS names sandbox: set GIFTSERVER_SANDBOX_URL, GIFTSERVER_SANDBOX_SECRET and "
            "GIFTSERVER_SANDBOX_WEBHOOK_SECRET, and start it with `giftserver sandbox`"
        )
    return SandboxProvider(url, secret.get_secret_value(), webhook.get_secret_value())
