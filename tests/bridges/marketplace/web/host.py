"""A page of another site with a button that opens the chat, and with everything about it that could spoil a widget."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

NONCE = "the-page-s-own"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>A shop</title>
<style nonce="{nonce}">
  :root {{ --chat-accent: #7a2ea0; --chat-offset: 30px; }}
  body *, body *::before {{ all: unset !important; }}
  body * {{ display: none !important; color: red !important; font: 40px serif !important; z-index: -1 !important;
    position: absolute !important; inset: -9000px !important; opacity: 0 !important; pointer-events: none !important; }}
  #ask {{ all: revert !important; }}
</style></head>
<body><button id="ask">Ask</button>
<script src="{chat}/chat.js" defer></script>
<script nonce="{nonce}">
  const open = () => chatManager.openChat({seller}, 77, {{title: "A lamp"}});
  document.getElementById("ask").addEventListener("click", open);
</script></body></html>
"""


class Host:
    """The site. `chat` and `seller` must be said before somebody looks at it."""

    def __init__(self) -> None:
        self.chat = ""
        self.seller = ""
        self.origin = ""

    async def page(self, _request: web.Request) -> web.Response:
        """The strictest policy that a page with the widget can have."""
        policy = (
            f"default-src 'none'; script-src {self.chat} 'nonce-{NONCE}'; style-src 'nonce-{NONCE}'; "
            f"connect-src {self.chat} {self.chat.replace('http', 'ws', 1)}; img-src {self.chat} blob:; "
            "require-trusted-types-for 'script'; trusted-types 'none'"
        )
        text = PAGE.format(chat=self.chat, seller=self.seller, nonce=NONCE)
        headers = {"Content-Security-Policy": policy}
        return web.Response(text=text, content_type="text/html", headers=headers)


@asynccontextmanager
async def other_site() -> AsyncIterator[Host]:
    """A server of its own, under another name than the chat's."""
    host = Host()
    app = web.Application()
    app.router.add_get("/", host.page)
    async with TestServer(app, host="127.0.0.1") as server:
        host.origin = f"http://localhost:{server.port}"
        yield host
