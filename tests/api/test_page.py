"""The page as it is served: its files, their headers, and what it knows of the service."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest
from fastapi.testclient import TestClient

from app.http.assets import PAGE_FILES
from app.pipeline.fusing import FUSED
from app.pipeline.ladder import COLOURS, DOTS, EVENED
from app.pipeline.micro import MICRO
from app.pipeline.other_symbologies import NAMING
from app.pipeline.results import Reason
from app.pipeline.rungs import RUNGS
from app.workers.jobs import IMAGING_STAGE
from tests.support.fakes import FakeLadder
from tests.support.paths import ROOT

SCRIPTS = tuple(f"/page/{name}" for name in PAGE_FILES if name.endswith(".js"))
STYLES = tuple(f"/page/{name}" for name in PAGE_FILES if name.endswith(".css"))
FILES = {"/": "text/html", **dict.fromkeys(STYLES, "text/css"), **dict.fromkeys(SCRIPTS, "text/javascript")}
FOLDER = ROOT / "app" / "page"
DOCUMENTATION = {
    "/docs": "text/html",
    "/docs/swagger.js": "text/javascript",
    "/docs/swagger-ui.css": "text/css",
    "/docs/swagger-ui-bundle.js": "text/javascript",
    "/redoc": "text/html",
    "/redoc/redoc.css": "text/css",
    "/redoc/redoc.standalone.js": "text/javascript",
}


class Markup(HTMLParser):
    """Every start tag of a document, with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))


@pytest.fixture
def markup(client: TestClient) -> Markup:
    return Markup(client.get("/").text)


@pytest.mark.parametrize(("path", "media_type"), FILES.items())
def test_files(client: TestClient, path: str, media_type: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert answer.content == (FOLDER / (path.removeprefix("/page/") if path != "/" else "index.html")).read_bytes()
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", FILES)
def test_policy_allows_the_page_itself_and_nothing_else(client: TestClient, path: str) -> None:
    policy = dict(entry.split(" ", 1) for entry in client.get(path).headers["content-security-policy"].split("; "))
    assert policy.pop("img-src") == "'self' blob: data:"
    assert {policy.pop(name) for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert set(policy.values()) == {"'none'"}
    assert {"default-src", "base-uri", "form-action", "frame-ancestors", "trusted-types"} == set(policy)


@pytest.mark.parametrize("path", FILES)
def test_an_unchanged_file_is_not_sent_twice(client: TestClient, path: str) -> None:
    tag = client.get(path).headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("path", FILES)
def test_head(client: TestClient, path: str) -> None:
    assert client.head(path).headers["content-length"] == client.get(path).headers["content-length"]
    assert client.put(path).status_code == 405


def test_every_file_of_the_page_is_served() -> None:
    own = {str(file.relative_to(FOLDER)) for file in FOLDER.rglob("*") if file.is_file()}
    documentation = {name for name in own if name.startswith("documentation/")}
    assert own - documentation == {*PAGE_FILES, "index.html"}


def test_the_page_alone_may_ask_for_the_camera(client: TestClient) -> None:
    granted = {
        name: value
        for name, _, value in (
            entry.partition("=") for entry in client.get("/").headers["permissions-policy"].split(", ")
        )
    }
    assert granted.pop("camera") == "(self)"
    assert set(granted.values()) == {"()"}
    assert "permissions-policy" not in client.get("/docs").headers


def test_no_storage_is_used(client: TestClient) -> None:
    scripts = "".join(client.get(path).text for path in SCRIPTS)
    assert not re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie|\bcaches\b|serviceWorker", scripts)


def test_files_have_tags_of_their_own(client: TestClient) -> None:
    assert len({client.get(path).headers["etag"] for path in FILES}) == len(FILES)


def test_everything_that_it_loads_is_served_by_the_service(client: TestClient, markup: Markup) -> None:
    loaded = [
        attributes[name]
        for tag, attributes in markup.tags
        for name in ("src", "href")
        if tag in {"script", "link", "img"} and name in attributes
    ]
    own = {urljoin("/", name) for name in loaded if not name.startswith("data:")}
    own |= {urljoin(path, name) for path in SCRIPTS for name in re.findall(r'from "(.+?)"', client.get(path).text)}
    assert own == set(FILES) - {"/"}


def test_no_file_names_another_host(client: TestClient) -> None:
    named = {host for path in FILES for host in re.findall(r"(?:https?:)?//([\w.-]+\.\w+)", client.get(path).text)}
    assert named == {"www.w3.org"}  # a namespace


def test_nothing_is_inline(markup: Markup) -> None:
    assert not [tag for tag, _ in markup.tags if tag in {"style", "base", "iframe", "object", "embed"}]
    names = {name for _, attributes in markup.tags for name in attributes}
    assert not {name for name in names if name == "style" or name.startswith("on")}
    assert all("src" in attributes for tag, attributes in markup.tags if tag == "script")


def test_every_control_has_a_name(markup: Markup) -> None:
    labelled = {attributes["for"] for tag, attributes in markup.tags if tag == "label" and "for" in attributes}
    inputs = [attributes for tag, attributes in markup.tags if tag == "input" and attributes["type"] != "radio"]
    assert {attributes["id"] for attributes in inputs} == labelled
    assert {attributes["aria-label"] for tag, attributes in markup.tags if tag == "video"} == {"What the camera shows"}
    assert dict(markup.tags)["html"]["lang"] == "en"


def test_the_script_finds_every_element_that_it_looks_up(client: TestClient, markup: Markup) -> None:
    known = {attributes["id"] for _, attributes in markup.tags if "id" in attributes}
    script = "".join(client.get(path).text for path in SCRIPTS)
    wanted = set(re.findall(r'\$\("([\w-]+)"\)', script))
    for names in re.findall(r"for \(const id of \[(.+?)\]\)", script):
        wanted |= set(re.findall(r'"([\w-]+)"', names))
    assert wanted
    assert wanted <= known


def test_every_stage_is_explained(client: TestClient) -> None:
    table = client.get("/page/answer/trace.js").text.partition("const STAGES = {")[2].partition("};")[0]
    assert set(re.findall(r"(\w+): \"", table)) == {
        *RUNGS,
        MICRO,
        FUSED,
        IMAGING_STAGE,
        "locate",
        COLOURS,
        DOTS,
        EVENED,
        NAMING,
    }


def test_every_reason_is_explained(client: TestClient) -> None:
    table = client.get("/page/answer/unread.js").text.partition("const REASONS = {")[2].partition("};")[0]
    assert set(re.findall(r"(\w+): \[\"", table)) == set(Reason)


def test_payloads_never_become_markup(client: TestClient) -> None:
    scripts = "".join(client.get(path).text for path in SCRIPTS)
    makers = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b"
    openers = r"window\.open|(?<!field\.)\blocation\b"
    assert not re.search(f"{makers}|{openers}", scripts)


@pytest.mark.parametrize(("path", "media_type"), DOCUMENTATION.items())
def test_the_documentation_is_served_from_here(client: TestClient, path: str, media_type: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
    policy = dict(entry.split(" ", 1) for entry in answer.headers["content-security-policy"].split("; "))
    assert {policy[name] for name in ("script-src", "connect-src")} == {"'self'"}
    assert {policy[name] for name in ("default-src", "base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    if media_type == "text/html":
        markup = Markup(answer.text)
        loaded = [attributes.get("src") or attributes.get("href") or "" for _, attributes in markup.tags]
        loaded = [urljoin(path, name) for name in loaded if name and not name.startswith("data:")]
        assert set(loaded) <= {*DOCUMENTATION, "/openapi.json"}
        assert all("src" in attributes for tag, attributes in markup.tags if tag == "script")


def test_it_is_not_part_of_the_documented_interface(client: TestClient) -> None:
    assert not {*FILES, *DOCUMENTATION} & set(client.get("/openapi.json").json()["paths"])


def test_what_is_switched_off_is_not_there(start: Callable[..., TestClient]) -> None:
    client = start(FakeLadder(), page=False, docs=False, metrics=False)
    for path in (*FILES, *DOCUMENTATION, "/openapi.json", "/metrics"):
        assert client.get(path).status_code == 404
    assert client.get("/livez").status_code == 200
