"""What the widgets are made of, as other sites' pages load it; without a browser."""

import re

import aiohttp
import pytest

from bridges.marketplace.bundle import bundles
from homeserver.lifecycle import Running
from tests.bridges.marketplace.people import Shopper
from tests.web.conftest import database_kind

__all__ = ["database_kind"]

MOST_BYTES = 30_000
# All that a page loads to open a chat as a buyer; and to show a seller's inbox.
BUYER = ("widget/buyer.js", "widget/buyer.css", "widget/texts/ru.js")
SELLER = ("widget/inbox.js", "widget/inbox.css", "widget/texts/ru.js")


async def _place(client: aiohttp.ClientSession) -> str:
    """Where the modules are, as the script at the root says."""
    async with client.get("/chat.js") as answer:
        found = re.search(r'"build": "(\w+)"', await answer.text())
    assert found is not None
    return f"/embed/{found[1]}"


async def test_widgets_are_small(client: aiohttp.ClientSession) -> None:
    place = await _place(client)
    for loader, files in (("/chat.js", BUYER), ("/seller-chats.js", SELLER)):
        whole = 0
        for path in (loader, *(f"{place}/{name}" for name in files)):
            headers = {"Accept-Encoding": "gzip"}
            async with client.request("GET", path, headers=headers, auto_decompress=False) as answer:
                assert answer.status == 200, path
                whole += len(await answer.read())
        assert whole < MOST_BYTES, (loader, whole)


async def test_all_sites_may_load_the_scripts(client: aiohttp.ClientSession) -> None:
    place = await _place(client)
    for path in ("/chat.js", "/seller-chats.js", "/chat-sw.js", f"{place}/widget/buyer.js"):
        async with client.get(path, headers={"Origin": "https://shop.example"}) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
            assert answer.headers["Content-Type"].startswith("text/javascript")
            is_kept = path.startswith(place)
            assert ("immutable" in answer.headers["Cache-Control"]) == is_kept
            etag = answer.headers["ETag"]
        async with client.get(path, headers={"If-None-Match": etag}) as again:
            assert again.status == 304
    for path in ("/embed/widget/thread.js", "/embed/widget/../app.py", "/embed/demo/layout.html"):
        async with client.get(path) as answer:
            assert answer.status == 404, path


@pytest.mark.parametrize("market", [{"issuer": "", "embeds": False}])
async def test_scripts_can_be_left_out(client: aiohttp.ClientSession) -> None:
    for path in ("/chat.js", "/product.html", "/embed/widget/buyer.js"):
        async with client.get(path) as answer:
            assert answer.status == 404


@pytest.mark.parametrize("more", [{}])
@pytest.mark.parametrize("market", [{}])
async def test_pages_of_the_demonstration_are_for_demonstrations(client: aiohttp.ClientSession) -> None:
    async with client.get("/chat.js") as answer:
        assert answer.status == 200
    for path in ("/product.html", "/profile.html"):
        async with client.get(path) as answer:
            assert answer.status == 404


async def test_both_languages_say_the_same(client: aiohttp.ClientSession) -> None:
    keys = []
    for language in ("ru", "en"):
        async with client.get(f"/embed/widget/texts/{language}.js") as answer:
            keys.append(re.findall(r'^"([\w.]+)":', await answer.text(), re.MULTILINE))
    assert keys[0] == keys[1] == sorted(keys[0])


async def test_who_somebody_is(
    server: Running, browser: aiohttp.ClientSession, seller: Shopper, visitor: Shopper
) -> None:
    nobody = {"user_id": None, "is_registered": False, "is_staff": False}
    assert await visitor.call("GET", "me") == nobody
    assert await seller.call("GET", "me") == {**nobody, "user_id": seller.name, "is_registered": True}
    assert await Shopper(browser, "", {"Authorization": "Bearer no"}).call("GET", "me", 401)
    here = Shopper(browser, visitor.name)
    await here.open(seller=int(seller.name))
    assert await here.call("GET", "me") == {**nobody, "user_id": visitor.name}


def test_modules_become_one_file() -> None:
    """Each module has its own names; what is imported later comes later, and only once what it needs."""
    sources = {
        "w/a.js": 'import { x as y } from "../c/b.js";\nexport async function f() {\n'
        '  return y + (await import("./l.js")).z; // sum\n}\n',
        "c/b.js": "/** One. */\nconst own = 1;\nexport const x = own;\n",
        "w/l.js": 'import { x } from "../c/b.js";\nconst own = x;\nexport const z = own;\n',
    }
    made = bundles("w/a.js", sources)
    assert list(made) == ["w/a.js", "w/a-l.js"]
    assert made["w/a.js"].count("const own = 1;") == 1
    assert "own" not in made["w/a-l.js"].split("m2=")[0]
    assert 'import("./a-l.js").then((later) => later.load(shared))' in made["w/a.js"]
    assert "One." not in made["w/a.js"]
    assert "sum" not in made["w/a.js"]
    for text in ('export * from "./b.js";\n', 'import { a } from "./a.js";\n', 'import "./b.js";\n'):
        with pytest.raises(ValueError, match=r"a\.js"):
            bundles("w/a.js", {"w/a.js": text, "w/b.js": ""})
