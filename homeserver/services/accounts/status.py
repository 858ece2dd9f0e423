"""How people stand with the server: what the suspended, the locked, the closed and guests may still do.

Suspended people read, leave and log out; they say nothing and change nothing that others see. Locked ones may do
nothing but log out. Closed accounts are over.
"""

from homeserver.errors import Forbidden, Unauthenticated
from homeserver.model import GUEST_NAMESPACE, MATRIX_GUESTS, Requester
from homeserver.storage.accounts import Account


def check_standing(*, suspended: bool = False, deactivated: bool = False, locked: bool = False) -> None:
    """Raise unless the person may use the server: Unauthenticated when closed or locked, Forbidden when suspended."""
    if deactivated:
        raise Unauthenticated("this account is closed", code="deactivated")
    if locked:
        raise Unauthenticated("this account is locked", code="locked")
    if suspended:
        raise Forbidden("this account is suspended", code="suspended")


def check_account(account: Account, *, even_suspended: bool = False) -> None:
    """The same for an account. `even_suspended`: for a face in which suspended people may read."""
    status = account.status
    check_standing(
        suspended=status.suspended and not even_suspended,
        deactivated=status.deactivated,
        locked=status.locked,
    )


def check_requester(requester: Requester) -> None:
    """Raise unless a requester is somebody with an account who may do everything that people may."""
    check_standing(suspended=requester.suspended, locked=requester.locked)
    if is_matrix_guest(requester.number):
        raise guests_refused()


def check_caller(requester: Requester, *, guests: bool, locked: bool) -> None:
    """The same for one call of a face that knows them all. `guests`, `locked`: whether such may call it."""
    check_standing(locked=requester.locked and not locked)
    if is_matrix_guest(requester.number) and not guests:
        raise guests_refused()


def check_may_act(requester: Requester) -> None:
    """Raise Forbidden("suspended") for who may only read."""
    check_standing(suspended=requester.suspended)


def check_admin(requester: Requester) -> None:
    """Raise Forbidden("no_admin") for who does not moderate this server."""
    if not requester.admin:
        raise Forbidden("only admins of this server can do this", code="no_admin")


def is_guest(number: int) -> bool:
    """Whether a person's number is that of a guest of a bridge, known by a UUID alone."""
    return number >> 32 == GUEST_NAMESPACE


def is_matrix_guest(number: int) -> bool:
    """Whether a person's number is one of a guest of the Matrix API."""
    return number >> 32 == MATRIX_GUESTS


def guests_refused() -> Forbidden:
    """The error for a guest who needs an account."""
    return Forbidden("guests cannot do this", code="guests_refused")
