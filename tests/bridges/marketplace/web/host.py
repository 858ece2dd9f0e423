"""Pages of another site, with everything about them that could spoil a widget: one with a button that opens the chat,
and a profile with the inbox and a worker for notifications."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

NONCE = "the-page-s-own"
HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>A shop</title>
<style nonce="{nonce}">
  :root {{ --chat-accent: #7a2ea0; --chat-offset: 30px; }}
  body *, body *::before {{ all: unset !important; }}
  body * {{ display: none !important; color: red !important; font: 40px serif !important; z-index: -1 !important;
    position: absolute !important; inset: -9000px !important; opacity: 0 !important; pointer-events: none !important; }}
  #ask {{ all: revert !important; }}
</style></head>
"""
PAGE = (
    HEAD
    + """<body><button id="ask">Ask</button>
<script src="{chat}/chat.js" defer></script>
<script nonce="{nonce}">
  const open = () => chatManager.openChat({seller}, 77, {{title: "A lamp"}});
  document.getElementById("ask").addEventListener("click", open);
</script></body></html>
"""
)
PROFILE = (
    HEAD
    + """<body id="profilePage">
<script src="{chat}/seller-chats.js" data-worker="/chat-worker.js" defer></script></body></html>
"""
)
WORKER = 'importScripts("{chat}/chat-sw.js");'


class Host:
    """The site. `chat` and `seller` must be said before somebody looks at it."""

    def __init__(self) -> None:
        self.chat = ""
        self.seller = ""
        self.origin = ""

    async def page(self, _request: web.Request) -> web.Response:
        """The page of something to buy."""
        return self._answer(PAGE, types="'none'")

    async def profile(self, _request: web.Request) -> web.Response:
        """The page of the seller."""
        return self._answer(PROFILE, types="chat-worker; worker-src 'self'")

    async def worker(self, _request: web.Request) -> web.Response:
        """The one line that the site needs for notifications."""
        return web.Response(text=WORKER.format(chat=self.chat), content_type="text/javascript")

    def _answer(self, page: str, *, types: str) -> web.Response:
        """With the strictest policy that a page with the widgets can have."""
        policy = (
            f"default-src 'none'; script-src {self.chat} 'nonce-{NONCE}'; style-src 'nonce-{NONCE}'; "
            f"connect-src {self.chat} {self.chat.replace('http', 'ws', 1)}; img-src {self.chat} blob:; "
            f"require-trusted-types-for 'script'; trusted-types {types}"
        )
        text = page.format(chat=self.chat, seller=self.seller, nonce=NONCE)
        headers = {"Content-Security-Policy": policy}
        return web.Response(text=text, content_type="text/html", headers=headers)


@asynccontextmanager
async def other_site() -> AsyncIterator[Host]:
    """A server of its own, under another name than the chat's."""
    host = Host()
    app = web.Application()
    app.router.add_get("/", host.page)
    app.router.add_get("/profile", host.profile)
    app.router.add_get("/chat-worker.js", host.worker)
    async with TestServer(app, host="127.0.0.1") as server:
        host.origin = f"http://localhost:{server.port}"
        yield host
