"""Virtual users for locust: `locust -f loadtests/locustfile.py Student --headless -u 200 -r 20 -t 2m --host URL`.

Name the kinds that you want; without a name all of them come. A `Student` of the university, a `Chatter` of the
messenger and a `MatrixClient` in the students' courses log in: with accounts from `--accounts FILE` (a line
`email,password` each), or with new ones by `--register` where the server lets anybody register. A `Guest` of the
marketplace needs nothing; a `Seller` has a token, signed with the secret in `--market-secret-file`. Every option has an
environment variable, see `locust --help`.

Run it from the folder of the project. One machine seems like one address to the server: give it room in
`rate_limits` (login, registration, guests, send_guests, send_address, address) first, or most of what you measure are
refusals.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # locust loads this file by its path

from locust import events
from locust.argument_parser import LocustArgumentParser

from loadtests.market_users import Guest, Seller
from loadtests.matrix_users import MatrixClient
from loadtests.messenger_users import Chatter
from loadtests.users import Student

__all__ = ["Chatter", "Guest", "MatrixClient", "Seller", "Student"]


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]  # locust has none
def add_options(parser: LocustArgumentParser) -> None:
    """The options of these users."""
    parser.add_argument(
        "--accounts", default="", env_var="LOAD_ACCOUNTS", help="File with lines `email,password`."
    )
    parser.add_argument(
        "--register",
        action="store_true",
        env_var="LOAD_REGISTER",
        help="Make accounts instead, one per user.",
    )
    parser.add_argument(
        "--email-domain",
        default="load.example",
        env_var="LOAD_EMAIL_DOMAIN",
        help="Domain of accounts made here.",
    )
    parser.add_argument(
        "--courses", type=int, default=20, env_var="LOAD_COURSES", help="Group conversations the users share."
    )
    parser.add_argument(
        "--chat-prefix", default="/api/unet-chat", env_var="LOAD_CHAT_PREFIX", help="Where the chat API is."
    )
    parser.add_argument(
        "--accounts-prefix", default="/api/v1", env_var="LOAD_ACCOUNTS_PREFIX", help="Where people log in."
    )
    _add_more(parser)


def _add_more(parser: LocustArgumentParser) -> None:
    """The options about messenger and marketplace."""
    parser.add_argument(
        "--groups", type=int, default=50, env_var="LOAD_GROUPS", help="Groups of a user of the messenger."
    )
    parser.add_argument(
        "--socket-path", default="/ws", env_var="LOAD_SOCKET_PATH", help="Where the messenger's socket is."
    )
    parser.add_argument(
        "--market-prefix", default="/api/chat", env_var="LOAD_MARKET_PREFIX", help="Where the marketplace is."
    )
    parser.add_argument(
        "--market-secret-file",
        default="",
        env_var="LOAD_MARKET_SECRET_FILE",
        help="File with the secret that the marketplace signs its people's tokens with.",
    )
    parser.add_argument(
        "--sellers", type=int, default=5, env_var="LOAD_SELLERS", help="How many sellers there are."
    )
    parser.add_argument(
        "--first-seller", type=int, default=1, env_var="LOAD_FIRST_SELLER", help="Number of the first one."
    )
    parser.add_argument(
        "--seller-chats", type=int, default=200, env_var="LOAD_SELLER_CHATS", help="Chats of a seller."
    )
