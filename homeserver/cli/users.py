"""Commands for user accounts."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from homeserver.app import build
from homeserver.cli.common import (
    ConfigOption,
    PasswordFileOption,
    new_password,
    run,
    settings_from,
    show,
    utc,
)
from homeserver.lifecycle import working
from homeserver.model import Page
from homeserver.protocol.ids import UserId
from homeserver.services.accounts.accounts import Accounts
from homeserver.settings.models import Settings
from homeserver.storage.accounts import Account

app = typer.Typer(no_args_is_help=True, help="Make, list and close accounts.")

MAX_LISTED = 10_000

WhoArgument = Annotated[
    str, typer.Argument(metavar="WHO", help="The person's e-mail, or Matrix id (@alice:example.org).")
]


@asynccontextmanager
async def _accounts(settings: Settings) -> AsyncIterator[Accounts]:
    """The service, with the log open; a running server learns of changes."""
    hs = build(settings)
    async with working(hs):
        yield hs.accounts.accounts


async def _find(accounts: Accounts, who: str) -> UserId:
    account = await (accounts.find(UserId(who)) if who.startswith("@") else accounts.find_by_email(who))
    return account.person.user_id


@app.command("create")
def create(
    name: Annotated[str, typer.Option("--name", prompt="Display name", help="The name that others see.")],
    email: Annotated[
        str | None, typer.Option("--email", help="What the person logs in with; without one they cannot.")
    ] = None,
    tag: Annotated[
        str | None, typer.Option("--tag", help="Short unique name; without it one is made from the e-mail.")
    ] = None,
    password_file: PasswordFileOption = None,
    config: ConfigOption = None,
) -> None:
    """Create an account, even if registration is disabled. The password is asked for, or read from a file."""
    settings = settings_from(config)
    password = new_password(password_file) if email is not None or password_file is not None else None

    async def work() -> None:
        async with _accounts(settings) as accounts:
            person = await accounts.create(display_name=name, email=email, password=password, tag=tag)
        typer.echo(f"{person.user_id} (number {person.number}, tag {person.tag})")

    run(work())


@app.command("reset-password")
def reset_password(
    who: WhoArgument, password_file: PasswordFileOption = None, config: ConfigOption = None
) -> None:
    """Set a user's password and log them out everywhere."""
    settings = settings_from(config)
    password = new_password(password_file)

    async def work() -> None:
        async with _accounts(settings) as accounts:
            user_id = await _find(accounts, who)
            await accounts.set_password(user_id, password)
        typer.echo(f"{user_id} has a new password and is logged out everywhere")

    run(work())


@app.command("suspend")
def suspend(who: WhoArgument, config: ConfigOption = None) -> None:
    """Suspend a user and log them out everywhere; until unsuspend they may only read, with a Matrix client."""
    _change(config, who, lambda accounts, user_id: accounts.suspend(user_id), "is suspended")


@app.command("unsuspend")
def unsuspend(who: WhoArgument, config: ConfigOption = None) -> None:
    """Lift a user's suspension."""
    _change(config, who, lambda accounts, user_id: accounts.unsuspend(user_id), "may log in again")


@app.command("lock")
def lock(who: WhoArgument, config: ConfigOption = None) -> None:
    """Lock a user; until unlock their sessions stay, but they can only log out."""
    _change(config, who, lambda accounts, user_id: accounts.lock(user_id), "is locked out")


@app.command("unlock")
def unlock(who: WhoArgument, config: ConfigOption = None) -> None:
    """Unlock a user."""
    _change(config, who, lambda accounts, user_id: accounts.unlock(user_id), "is let in again")


@app.command("admin")
def admin(
    who: WhoArgument,
    config: ConfigOption = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take it from them.")] = False,
) -> None:
    """Make a user a server admin, who may suspend and lock others from a Matrix client."""
    done = "is no admin any more" if revoke else "is an admin"
    _change(config, who, lambda accounts, user_id: accounts.set_admin(user_id, admin=not revoke), done)


@app.command("deactivate")
def deactivate(
    who: WhoArgument,
    config: ConfigOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Deactivate an account for good. Its messages stay."""
    if not yes:
        typer.confirm(f"Close the account of {who} for good?", abort=True)
    _change(config, who, lambda accounts, user_id: accounts.deactivate(user_id), "is closed for good")


def _change(
    config: Path | None, who: str, change: Callable[[Accounts, UserId], Awaitable[None]], done: str
) -> None:
    settings = settings_from(config)

    async def work() -> None:
        async with _accounts(settings) as accounts:
            user_id = await _find(accounts, who)
            await change(accounts, user_id)
        typer.echo(f"{user_id} {done}")

    run(work())


@app.command("list")
def list_users(
    limit: Annotated[int, typer.Option("--limit", min=1, max=MAX_LISTED, help="Most people to show.")] = 100,
    offset: Annotated[int, typer.Option("--offset", min=0, help="People to pass over.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    config: ConfigOption = None,
) -> None:
    """List accounts and users of host applications, in the order of their numbers."""
    settings = settings_from(config)

    async def work() -> list[Account]:
        async with _accounts(settings) as accounts:
            return await accounts.listing(Page(limit=limit, offset=offset))

    head = ["number", "user id", "name", "tag", "e-mail", "created", "standing"]
    show([_row(account) for account in run(work())], head, as_json=as_json)


def _row(account: Account) -> dict[str, str | int]:
    person = account.person
    words = ("closed", account.deactivated), ("locked", account.locked), ("suspended", account.suspended)
    status = next((word for word, holds in words if holds), "admin" if account.status.admin else "active")
    return {
        "number": person.number,
        "user_id": person.user_id,
        "display_name": person.display_name,
        "tag": person.tag,
        "email": person.email,
        "created": utc(person.created_ms),
        "standing": status,
    }
