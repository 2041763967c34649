"""What all pages of the desk share: nobody sees or does anything here who is not signed in."""

from fastapi.testclient import TestClient

from tests.desk.world import At


def test_nobody_sees_a_page_without_being_signed_in(client: TestClient) -> None:
    answer = client.get("/desk")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/login")


def test_whoever_is_signed_in_sees_their_name(publisher: At) -> None:
    assert "Publisher" in publisher.get("/desk")


def test_a_form_without_its_proof_does_nothing(publisher: At) -> None:
    assert publisher.client.post("/desk/logout").status_code == 403
    assert publisher.get("/desk")


def test_a_form_from_elsewhere_does_nothing(publisher: At) -> None:
    answer = publisher.post("/desk/logout", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert publisher.get("/desk")


def test_whoever_signs_out_is_out(publisher: At) -> None:
    assert publisher.post("/desk/logout").status_code == 303
    assert publisher.client.get("/desk").status_code == 303
