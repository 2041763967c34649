"""The form in a frame on another site's page."""

import html
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi.testclient import TestClient
from playwright.sync_api import Browser

from newsletter.assembly import Assembly
from newsletter.web.app import create_app
from tests.web.serving import serving
from tests.web.world import NOW, Parsed, a_comparison, a_reader, send, sign_ups, way_out


def test_only_the_box_may_be_framed_and_it_says_nothing_of_anybody(client: TestClient, assembly: Assembly) -> None:
    send(assembly, a_comparison())
    box = client.get("/subscribe/box?email=ana@example.com", headers={"Referer": "https://blog.example/post?secret=1"})
    assert "x-frame-options" not in box.headers
    assert box.headers["content-security-policy"].endswith("frame-ancestors *")
    assert box.headers["cache-control"] == "no-store"
    assert "set-cookie" not in box.headers
    assert not [part for part in ("ana@", "secret", "/post") if part in box.text]
    page = Parsed(box.text)
    assert [(form["method"], form["target"], form["rel"]) for form in page.named("form")] == [
        ("post", "_blank", "noopener")
    ]
    sent = {str(field["name"]): field.get("value") or "" for field in page.named("input")}
    assert sent["site"] == "blog.example"
    others = [
        client.get(path) for path in ("/", "/subscribe", "/issues", "/nothing", way_out(assembly, a_reader(assembly)))
    ]
    others.append(client.post("/subscribe", data=sent | {"email": "ana@example.com"}))
    for answer in others:
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["content-security-policy"].endswith("frame-ancestors 'none'")
    assert [each.source for each in sign_ups(assembly)] == ["sign-up box on blog.example"]


def test_a_form_of_ours_says_where_it_stood_only_if_that_can_be_a_host(client: TestClient, assembly: Assembly) -> None:
    hosts = ["a.example", "bücher.example", "localhost", "2001:db8::1"]
    others = ["", "testserver", "[", "a.example\x00\u202e", 'a"><script>b', "a [red]b", "a b.example", "=1+1"]
    wishes = dict.fromkeys(others, "sign-up form") | {host: host for host in hosts}
    for number, site in enumerate(f"[{site}]" if "::" in site else site for site in wishes):
        client.post("/subscribe", data={"email": f"ana{number}@example.com", "site": site})
    assert [each.source.removeprefix("sign-up box on ") for each in sign_ups(assembly)] == [*wishes.values()]


@contextmanager
def another_site(page: str) -> Iterator[str]:
    """Serves one page from another origin; yields its address."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_address[1]}/"  # not 127.0.0.1, where we are
    finally:
        server.shutdown()
        server.server_close()


def test_a_browser_shows_the_box_on_another_site_and_finds_fault_with_no_public_page(
    assembly: Assembly, chromium: Browser
) -> None:
    send(assembly, a_comparison())
    with serving(create_app(assembly, clock=lambda: NOW)) as port:
        ours = f"http://127.0.0.1:{port}"
        written = TestClient(create_app(assembly, clock=lambda: NOW)).get("/subscribe").text
        snippet = html.unescape(written[written.index("&lt;iframe") : written.index("&lt;/iframe&gt;")]) + "</iframe>"
        snippet = snippet.replace(assembly.settings.base_url, ours)
        host = f"<!doctype html><title>A blog</title>{snippet}<iframe id=whole src='{ours}/subscribe'></iframe>"
        said: list[str] = []
        context = chromium.new_context()
        context.on("console", lambda message: said.append(message.text))
        page = context.new_page()
        archive = ("/", "/issues", "/issues/2026-W47", "/comparisons/inkwell-vs-gantry", "/tools/inkwell")
        for path in (*archive, "/subscribe", "/subscribe/box"):
            page.goto(ours + path)
        assert said == []
        with another_site(host) as blog:
            page.set_viewport_size({"width": 375, "height": 900})
            page.goto(blog)
            frame = page.frame_locator("iframe >> nth=0")
            frame.locator("input[type=email]").fill("ana@example.com")
            # The size that the snippet names is enough on a phone.
            root = "document.documentElement"
            assert page.frames[1].evaluate(f"{root}.scrollWidth <= innerWidth && {root}.scrollHeight <= innerHeight")
            with context.expect_page() as opened:
                frame.get_by_role("button").click()
            opened.value.wait_for_load_state()
            assert opened.value.url == f"{ours}/subscribe"
            assert "Look into your inbox" in opened.value.inner_text("h1")
            assert page.url == blog
        # The page that may not be framed was refused, so it is known that refusals are heard.
        assert any("frame" in each for each in said)
        context.close()
    assert [each.source for each in sign_ups(assembly)] == ["sign-up box on localhost"]
