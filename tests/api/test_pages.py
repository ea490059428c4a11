"""Pages of documents over HTTP: what an answer says of them, which are chosen, and with what time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.support.fakes import FakeLadder, symbol
from tests.support.pdfs import scan_pdf
from tests.support.tiffs import TiffPage, tiff
from tests.support.videos import video

SHEETS = [np.full((40, 60 + number), 255, np.uint8) for number in range(3)]
TIFF = tiff(*map(TiffPage, SHEETS))


def ask(client: TestClient, data: bytes, query: str = "") -> tuple[int, Any]:
    response = client.post(f"/decode{query}", files={"file": data})
    return response.status_code, response.json()


@pytest.mark.parametrize("data", [TIFF, scan_pdf(SHEETS, dpi=300)], ids=["tiff", "pdf"])
def test_every_page_and_its_codes(start: Callable[..., TestClient], data: bytes) -> None:
    status, answer = ask(start(FakeLadder(symbols=(symbol(),))), data)
    assert status == 200
    assert [code["page"] for code in answer["codes"]] == [0, 1, 2]
    assert [(page["index"], page["width"], page["height"]) for page in answer["pages"]] == [
        (0, 60, 40),
        (1, 61, 40),
        (2, 62, 40),
    ]
    assert (answer["page_count"], answer["truncated"], answer["complete"]) == (3, False, True)
    assert answer["image"] == {"width": 60, "height": 40, "orientation": 1}


@pytest.mark.parametrize(
    ("pages", "indices"), [("1", [0]), ("2-3", [1, 2]), ("3-", [2]), ("1,3", [0, 2]), ("1-900", [0, 1, 2])]
)
def test_pages_are_chosen_as_people_count_them(client: TestClient, pages: str, indices: list[int]) -> None:
    status, answer = ask(client, TIFF, f"?pages={pages}")
    assert status == 200
    assert [page["index"] for page in answer["pages"]] == indices
    assert answer["page_count"] == 3


@pytest.mark.parametrize("pages", ["0", "-2", "1-2-3", "a", "", "1,,2", "1;2", " 1", "1" * 9, "1," * 150 + "1"])
def test_what_names_no_pages(client: TestClient, pages: str) -> None:
    status, problem = ask(client, TIFF, f"?pages={pages}")
    assert status == 422
    assert [error["location"] for error in problem["errors"]] == ["query.pages"]


def test_pages_that_the_file_does_not_have(client: TestClient) -> None:
    status, problem = ask(client, TIFF, "?pages=4-5")
    assert status == 422
    assert problem["type"] == "urn:qrestore:problem:no_such_page"
    assert problem["detail"] == "The file has 3 pages; none of them is asked for."


def test_pages_do_not_go_with_fuse(client: TestClient) -> None:
    assert ask(client, TIFF, "?pages=1&fuse=true")[0] == 422


def test_more_pages_than_the_service_reads(start: Callable[..., TestClient]) -> None:
    _, answer = ask(start(FakeLadder(), max_pages=2), TIFF)
    assert [page["index"] for page in answer["pages"]] == [0, 1]
    assert answer["truncated"] is True
    assert answer["page_count"] == 3


def test_a_named_budget_is_for_all_pages(start: Callable[..., TestClient]) -> None:
    ladder = FakeLadder()
    client = start(ladder)
    ask(client, TIFF, "?budget=3")
    assert [call["budget"] for call in ladder.calls] == pytest.approx([1, 1.5, 3], abs=0.3)
    ladder.calls.clear()
    ask(client, TIFF)
    assert [call["budget"] for call in ladder.calls] == [4, 4, 4]
    ladder.calls.clear()
    ask(client, TIFF, "?effort=thorough")
    assert [call["budget"] for call in ladder.calls] == pytest.approx([6, 9, 18], abs=0.3)


def test_an_encrypted_pdf_has_its_own_problem(client: TestClient) -> None:
    keys = b"<< /Filter /Standard /V 1 /R 2 /P -44 /O <%s> /U <%s> >>" % (b"11" * 32, b"22" * 32)
    data = scan_pdf(SHEETS[:1], dpi=300).replace(b"/Root 1 0 R", b"/Root 1 0 R /ID [<00> <00>] /Encrypt " + keys)
    status, problem = ask(client, data)
    assert status == 422
    assert problem["type"] == "urn:qrestore:problem:encrypted_file"


def test_what_a_refused_file_is(client: TestClient) -> None:
    status, problem = ask(client, b"\0\0\0\x18ftypisom\0\0\2\0isomiso2avc1mp41")
    assert status == 415
    assert problem["detail"].startswith("The file is an MP4 video. Send frames of it as pictures")
    assert "QRESTORE_VIDEO=true" in problem["detail"]


def test_videos_where_they_are_read(start: Callable[..., TestClient]) -> None:
    film = video([np.full((48, 64), 40 * number, np.uint8) for number in range(6)], rate=2)
    client = start(FakeLadder(symbols=(symbol(),)), video=True)
    for response in (
        client.post("/decode", files={"file": film}),
        client.post("/decode", content=film, headers={"Content-Type": "video/mp4"}),
    ):
        answer = response.json()
        assert (answer["page_count"], answer["truncated"]) == (6, False)
        assert [page["seconds"] for page in answer["pages"]] == [0, 0.5, 1, 1.5, 2, 2.5]
        assert answer["image"] == {"width": 64, "height": 48, "orientation": 1}
    assert client.post("/restore", files={"file": film}).status_code == 200
    assert client.post("/decode?fuse=true", files=[("file", film), ("file", film)]).status_code == 200
    (page,) = client.post("/decode?pages=2", files={"file": film}).json()["pages"]
    assert (page["index"], page["seconds"]) == (1, 0.5)
    assert [page["seconds"] for page in client.post("/decode", files={"file": TIFF}).json()["pages"]] == [None] * 3
