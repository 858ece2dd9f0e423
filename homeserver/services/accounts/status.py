"""Account status: what suspended, locked and deactivated users and guests may still do.

Suspended users may read, leave rooms and log out, but send and change nothing that others see. Locked users may only
log out. Deactivated accounts may do nothing.
"""

from homeserver.errors import Forbidden, Unauthenticated
from homeserver.model import GUEST_NAMESPACE, MATRIX_GUESTS, Requester
from homeserver.storage.accounts import Account


def check_standing(*, suspended: bool = False, deactivated: bool = False, locked: bool = False) -> None:
    """Raise unless the user may use the server: Unauthenticated if deactivated or locked, Forbidden if suspended."""
    if deactivated:
        raise Unauthenticated("this account is deactivated", code="deactivated")
    if locked:
        raise Unauthenticated("this account is locked", code="locked")
    if suspended:
        raise Forbidden("this account is suspended", code="suspended")


def check_account(account: Account, *, even_suspended: bool = False) -> None:
    """Check an account's status as `check_standing` does. `even_suspended`: for APIs that let suspended users read."""
    status = account.status
    check_standing(
        suspended=status.suspended and not even_suspended,
        deactivated=status.deactivated,
        locked=status.locked,
    )


def check_requester(requester: Requester) -> None:
    """Raise unless the requester has an account (is no guest) with no restriction."""
    check_standing(suspended=requester.suspended, locked=requester.locked)
    if is_matrix_guest(requester.number):
        raise guests_refused()


def check_caller(requester: Requester, *, guests: bool, locked: bool) -> None:
    """Check a requester for one endpoint of an API that knows all statuses. `guests`, `locked`: they may call it."""
    check_standing(locked=requester.locked and not locked)
    if is_matrix_guest(requester.number) and not guests:
        raise guests_refused()


def check_may_act(requester: Requester) -> None:
    """Raise Forbidden("suspended") if the requester may only read."""
    check_standing(suspended=requester.suspended)


def check_admin(requester: Requester) -> None:
    """Raise Forbidden("no_admin") unless the requester is a server admin."""
    if not requester.admin:
        raise Forbidden("only server admins can do this", code="no_admin")


def is_guest(number: int) -> bool:
    """True if the number is one of a bridge's guest, known by a UUID alone."""
    return number >> 32 == GUEST_NAMESPACE


def is_matrix_guest(number: int) -> bool:
    """True if the number is one of a guest of the Matrix API."""
    return number >> 32 == MATRIX_GUESTS


def guests_refused() -> Forbidden:
    """The error for a guest who needs an account."""
    return Forbidden("guests cannot do this", code="guests_refused")
