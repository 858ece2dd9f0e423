"""Authentication: a registered user by the marketplace's token, a guest by their UUID or cookie.

The user that a request names must be the one the credential belongs to; only with a service key may one of the
marketplace's own servers act for the user it names. Browsers send cookies from any page, so a request authenticated by
a cookie alone must come from an allowed origin (see `_check_origin`).
"""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit
from uuid import UUID

from aiohttp import web

from bridges.marketplace.settings import MarketplaceSettings
from homeserver import publicids
from homeserver.bridges import Context
from homeserver.errors import Forbidden, HomeserverError, Invalid, NotFound, Unauthenticated
from homeserver.http.credentials import header_token, query_token
from homeserver.http.guestcookie import GuestCookie
from homeserver.http.requestlog import USER_ID
from homeserver.http.service_key import KEY_HEADER
from homeserver.model import Person, Requester
from homeserver.services.auth import token_format
from homeserver.services.enquiries.guests import Guest, is_plain
from homeserver.settings.section import is_loopback

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_OWN_SITES = frozenset({"same-origin", "none"})  # none: the user typed the address
_FORWARDED = frozenset({"Forwarded", "X-Forwarded-For", "X-Real-IP"})


class UnknownGuest(Unauthenticated):
    """A well-formed UUID that belongs to no guest, or not yet."""

    code = "unknown_guest"


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated caller. `name` is their id on this API: an integer as text, or a guest's UUID."""

    requester: Requester
    name: str
    is_guest: bool
    is_staff: bool = False


class Callers:
    """Authenticates requests."""

    def __init__(
        self, context: Context, settings: MarketplaceSettings, cookie: GuestCookie, namespace: int
    ) -> None:
        self.namespace = namespace
        self._context = context
        self._settings = settings
        self._cookie = cookie
        self._guests = context.hs.enquiries.guests
        self._service = context.service_door(settings.issuer)

    async def of(self, request: web.Request, named: str | None, *, may_be_new: bool = False) -> Caller:
        """The caller, who must be `named` if the request names a user. `may_be_new`: create an unknown guest.

        Raises Unauthenticated, Forbidden("wrong_user", "wrong_origin"), Invalid("bad_guest_id").
        """
        caller = await self._find(request, named, may_be_new=may_be_new)
        request[USER_ID] = caller.requester.user_id
        return caller

    async def staff(self, request: web.Request, named: str | None) -> Caller:
        """The caller, who must be support staff. Raises Forbidden("not_staff")."""
        caller = await self.of(request, named)
        if not caller.is_staff:
            raise Forbidden("only support staff may do this", code="not_staff")
        return caller

    async def account(self, request: web.Request) -> Caller:
        """The registered caller."""
        token = self._token(request)
        if not token:
            raise _no_credential()
        return await self._registered(request, token)

    async def guest_cookie(self, request: web.Request) -> Guest | None:
        """The guest whose cookie the browser sent, even if the request is also authenticated otherwise."""
        return await self._guests.recognise(cookie=self._cookie.read(request))

    async def check_service(self, request: web.Request) -> None:
        """Raise Unauthenticated("bad_service_key") unless the request has a valid service key; RateLimited."""
        await self._service.check(request)

    async def seller(self, number: int, wanted_by: Requester | None = None) -> Person:
        """The user with this id, created if unknown, within `wanted_by`'s rate limit.

        Raises NotFound("user_not_found"), RateLimited.
        """
        wanted = publicids.from_public(number, self.namespace)
        hs = self._context.hs
        found = (await hs.accounts.profiles.by_numbers([wanted])).get(wanted)
        if found is not None and publicids.to_public(found.number, self.namespace) == number:
            return found
        if not self._settings.issuer:
            raise NotFound("no such seller", code="user_not_found")
        if wanted_by is not None:
            hs.core.limits.check("create", wanted_by.user_id)
        return await hs.auth.jwt_login.introduce(self._settings.issuer, number)

    def is_local_trial(self, request: web.Request, named: str | None) -> bool:
        """Whether this is a developer trying the API: a program on this machine, without a proxy, under a made-up name.

        It may listen and send in any chat, so that the examples of the documentation work. No user has such a name.
        """
        forwarded = self._context.around.listen.trusted_proxies or _FORWARDED & request.headers.keys()
        is_near = self._settings.trust_user_id and is_loopback(request.remote or "") and not forwarded
        is_word = named is not None and not named.isdecimal() and is_plain(named)
        return is_near and is_word and not self._token(request)

    async def _find(self, request: web.Request, named: str | None, *, may_be_new: bool) -> Caller:
        if KEY_HEADER in request.headers:
            return await self._acted_for(request, named)
        if named is not None and _is_uuid(named):
            return await self._guest(request, named, may_be_new=may_be_new)
        token = self._token(request)
        if not token and named is not None and self._trusts(request):
            return await self._trusted(request, named, may_be_new=may_be_new)
        if not token and named is not None:
            raise _no_credential()
        try:
            caller = await self._registered(request, token, opens=may_be_new) if token else None
        except Unauthenticated:
            if named is not None or not self._is_from_cookie(request):
                raise
            caller = None  # a stale account cookie; the guest's cookie may still be valid
        caller = caller or await self._by_cookie(request, opens=may_be_new)
        if named is not None and caller.name != named:
            raise Forbidden("user_id is not yours", code="wrong_user")
        return caller

    async def _acted_for(self, request: web.Request, named: str | None) -> Caller:
        """The user that one of the marketplace's servers acts for: a registered user or a known guest, never staff."""
        await self._service.check(request)
        if named is None:
            raise Invalid("user_id is required", code="missing_param")
        if not _is_uuid(named):
            requester = await self._service.person(request, named)
            return Caller(requester, str(int(named)), is_guest=False)
        guest = await self._guests.recognise(named, address=self._context.address(request), trusted=True)
        if guest is None:
            raise UnknownGuest("no such guest")
        return Caller(guest.requester, guest.name, is_guest=True)

    async def _registered(self, request: web.Request, token: str, *, opens: bool = False) -> Caller:
        if self._is_from_cookie(request):
            self._check_origin(request, opens=opens)
        requester = await self._context.authenticator.admit(request, token)
        name = str(publicids.to_public(requester.number, self.namespace))
        return Caller(requester, name, is_guest=False, is_staff=self._is_staff(requester, token))

    def _is_staff(self, requester: Requester, token: str) -> bool:
        """As the verified token says, not as an older one said."""
        if not self._settings.issuer or requester.namespace != self.namespace:
            return False
        return token_format.peek(token).claims.get("user_type") in self._settings.staff_types

    async def _guest(self, request: web.Request, name: str, *, may_be_new: bool) -> Caller:
        cookie, address = self._cookie.read(request), self._context.address(request)
        trusted = self._trusts(request)
        if may_be_new:
            guest: Guest | None = await self._guests.enter(name, cookie, address, trusted=trusted)
        else:
            guest = await self._guests.recognise(name, cookie, address, trusted=trusted)
        if guest is None:
            raise UnknownGuest("no such guest")
        if guest.cookie is not None:
            self._cookie.give(request, guest.cookie)
        return Caller(guest.requester, guest.name, is_guest=True)

    async def _by_cookie(self, request: web.Request, *, opens: bool) -> Caller:
        cookie = self._cookie.read(request)
        guest = await self._guests.recognise(cookie=cookie, address=self._context.address(request))
        if guest is None:
            raise _no_credential()
        self._check_origin(request, opens=opens)
        return Caller(guest.requester, guest.name, is_guest=True)

    async def _trusted(self, request: web.Request, named: str, *, may_be_new: bool) -> Caller:
        """A user that a trusted proxy, or a program on this machine, vouches for."""
        if not named.isdecimal() or not named.isascii():
            return await self._guest(request, named, may_be_new=may_be_new)
        person = await self.seller(int(named))
        requester = Requester(
            user_id=person.user_id,
            number=person.number,
            session_key=person.user_id,
            namespace=self.namespace,
            address=self._context.address(request),
        )
        return Caller(requester, named, is_guest=False)

    def _trusts(self, request: web.Request) -> bool:
        if not self._settings.trust_user_id:
            return False
        remote = request.remote or ""
        if not remote or is_loopback(remote):
            return True
        peer = ip_address(remote.partition("%")[0])
        return any(peer in network for network in self._context.around.listen.trusted_proxies)

    def _token(self, request: web.Request) -> str:
        sent = header_token(request) or query_token(request)
        return sent or request.cookies.get(self._settings.token_cookie, "").removeprefix("Bearer ").strip(
            '" '
        )

    def _is_from_cookie(self, request: web.Request) -> bool:
        return not (header_token(request) or query_token(request))

    def _check_origin(self, request: web.Request, *, opens: bool) -> None:
        """Raise Forbidden unless the origin is allowed: other sites must not act with a visitor's cookies.

        `opens`: the call may open a chat, even by GET. Browsers send no Origin with the GET of an image or a link, but
        Sec-Fetch-Site, or at least the address of the page.
        """
        is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
        if request.method in _SAFE_METHODS and not is_socket and not opens:
            return
        origin = request.headers.get("Origin")
        site = request.headers.get("Sec-Fetch-Site")
        if origin is None and site is not None:
            if site not in _OWN_SITES:
                raise _wrong_origin()
            return
        if origin is None:
            page = urlsplit(request.headers.get("Referer", ""))
            if not page.netloc:
                return  # no browser
            origin = f"{page.scheme}://{page.netloc}"
        around = self._context.around
        own = urlsplit(around.server.public_url)
        allowed = {f"{own.scheme}://{own.netloc}".lower(), *around.cors.origins}
        if origin.lower() not in allowed and urlsplit(origin).netloc.lower() != request.host.lower():
            raise _wrong_origin()


def _wrong_origin() -> Forbidden:
    return Forbidden("this origin is not allowed", code="wrong_origin")


def is_public(context: Context) -> bool:
    """Whether bare ids could come from anyone: the server listens on a public address without a proxy."""
    listen = context.around.listen
    return not is_loopback(listen.host) and not listen.trusted_proxies


def own_id(named: str | None, caller: Caller) -> None:
    """Raise Forbidden("wrong_user") if a body names a user other than the caller."""
    if named is not None and named.lower() != caller.name.lower():
        raise Forbidden("user_id is not yours", code="wrong_user")


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _no_credential() -> HomeserverError:
    return Unauthenticated("an access token or a guest's id is required", code="missing_token")
