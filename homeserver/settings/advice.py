"""Warnings about valid but probably unintended settings: logged at start and shown by `check-config`."""

import stat
from collections.abc import Iterator
from urllib.parse import urlsplit

from homeserver.settings.models import Settings
from homeserver.settings.pairs import is_reachable
from homeserver.settings.section import is_loopback


def advice(settings: Settings) -> list[str]:
    """One sentence per questionable setting; empty if there are none."""
    return [
        *_about_the_door(settings),
        *_about_the_network(settings),
        *_about_the_name(settings),
        *_about_the_words(settings),
        *_about_the_files(settings),
    ]


def _about_the_door(settings: Settings) -> Iterator[str]:
    is_open = is_reachable(settings.listen, settings.server)
    if settings.accounts.registration and is_open:
        yield "accounts.registration is true: anybody who reaches this server may make an account"
    if settings.web.demo and is_open:
        yield "web.demo is true: two accounts with known passwords are open to anybody who reaches this server"
    if not settings.rate_limits.enabled and is_open:
        yield "rate_limits.enabled is false: nothing slows down guessing of passwords"
        if settings.accounts.registration or settings.guest_accounts.enabled:
            yield (
                "rate_limits.enabled is false while anybody may register: a server without limits is full of spam "
                "within hours"
            )
    if settings.web.enabled and not settings.messenger.enabled:
        yield "web.enabled is true but messenger.enabled is false: nobody can log in on the pages"
    for at, issuer in enumerate(settings.issuers):
        if issuer.issuer is None and issuer.audience is None:
            yield (
                f"issuers[{at}] ({issuer.name}) asks for neither issuer nor audience: a token that the host made for "
                "another purpose with the same key is good here too"
            )


def _about_the_network(settings: Settings) -> Iterator[str]:
    url = urlsplit(settings.server.public_url)
    is_public = not is_loopback(url.hostname or "")
    if is_public and url.scheme == "http":
        yield "server.public_url begins with http: passwords and messages travel in the open; use https"
    if is_public and url.scheme == "https" and not settings.listen.trusted_proxies:
        yield (
            "server.public_url is https but listen.trusted_proxies is empty: if a proxy does the TLS, all people seem "
            "to come from its address and share one rate limit"
        )
    if is_loopback(url.hostname or "") and not is_loopback(settings.listen.host):
        yield f"server.public_url is {settings.server.public_url}, which only this machine can open"
    if "*" in settings.cors.origins:
        yield 'cors.origins is "*": any web site may call the APIs from a browser (it still needs a token)'
    if settings.metrics.enabled and settings.metrics.allow_public and not is_loopback(settings.metrics.host):
        yield f"metrics.allow_public is true: whoever reaches port {settings.metrics.port} reads the numbers"
    if settings.push.allow_private:
        yield "push.allow_private is true: whoever subscribes to pushes can make this server call its own network"


def _about_the_name(settings: Settings) -> Iterator[str]:
    if settings.server.name == "localhost" and not is_loopback(settings.listen.host):
        yield "server.name is localhost: all ids will end in it for ever; set it before the first start"


def _about_the_words(settings: Settings) -> Iterator[str]:
    words = settings.moderation.word_list
    if words is not None and not words.is_file():
        yield f"moderation.word_list: there is no file {words}; nothing is refused until there is one"


def _about_the_files(settings: Settings) -> Iterator[str]:
    folder = settings.server.data_dir
    if folder.is_dir():
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & 0o077:
            yield f"server.data_dir: others on this machine may use {folder} (mode {mode:04o}); chmod 700 it"
