"""University users for locust: `locust -f loadtests/locustfile.py --headless -u 200 -r 20 -t 2m --host URL`.

People log in, look at their conversations, open one, read, type, write, and lose their connection now and then.
Accounts come from `--accounts FILE` (a line `email,password` each), or are made at the first start with `--register`
where the server lets anybody register. Every option has an environment variable, see `locust --help`.

Run it from the folder of the project. One machine seems like one address to the server: give it room in
`rate_limits` (login, registration, address) first, or most of what you measure are refusals.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # locust loads this file by its path

from locust import events
from locust.argument_parser import LocustArgumentParser

from loadtests.users import Student

__all__ = ["Student"]


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
