"""Faults, set over HTTP and on the command line."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from typer.testing import CliRunner

from newsletter.cli.app import app
from newsletter.sandbox.server import Sandbox
from tests.sandbox.speaking import Api, letter, refused


@pytest.fixture(autouse=True)
def no_faults_afterwards(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.faults.clear()
    sandbox.release()


def put(api: Api, body: bytes) -> tuple[int, Any]:
    answer = api.session.put(f"{api.url}faults", data=body, timeout=10)
    return answer.status_code, answer.json()


def test_faults_are_read_set_and_cleared_without_a_token(sandbox: Sandbox, api: Api) -> None:
    nothing = {"seed": sandbox.faults.seed, "faults": [], "held": 0}
    assert api.page("faults").json() == nothing
    wanted = b'["429:times=2", "search-lag:seconds=5"]'
    on = {
        **nothing,
        "faults": [{"fault": "429:times=2", "struck": 0}, {"fault": "search-lag:seconds=5", "struck": 0}],
    }
    assert put(api, wanted) == (200, on)
    assert refused_with_429(api)
    assert api.page("faults").json()["faults"][0] == {"fault": "429:times=2", "struck": 1}
    assert sandbox.faults.active == ("429:times=2", "search-lag:seconds=5")
    assert put(api, b'["drop"]')[1]["faults"] == [{"fault": "drop", "struck": 0}]
    assert api.session.delete(f"{api.url}faults", timeout=10).json() == nothing
    assert api.post("/email", letter())["ErrorCode"] == 0


def refused_with_429(api: Api) -> bool:
    return api.call("POST", "/email", letter()).status_code == 429


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b'["drop", "dorp"]', "there is no fault 'dorp'"),
        (b'"drop"', "faults are a JSON list of texts"),
        (b"[1]", "faults are a JSON list of texts"),
        (b"drop", "this is no JSON"),
        (b"", "this is no JSON"),
    ],
)
def test_a_wrong_fault_is_named_and_changes_nothing(sandbox: Sandbox, api: Api, body: bytes, line: str) -> None:
    sandbox.faults.set("429")
    status, answer = put(api, body)
    assert status == 422
    assert line in answer["error"]
    assert sandbox.faults.active == ("429",)


def test_what_is_held_is_let_go(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("paused")
    api.post("/email/batch", [letter()] * 3)
    assert api.page("faults").json()["held"] == 3
    assert [api.session.post(f"{api.url}release", timeout=10).json()["released"] for _ in range(2)] == [3, 0]
    assert len(sandbox.messages) == 3


def test_the_inbox_says_that_faults_are_on(sandbox: Sandbox, api: Api) -> None:
    assert "Faults are on" not in api.page("").text
    sandbox.faults.set("search-loss", "paused")
    api.post("/email/batch", [letter()] * 2)
    page = api.page("").text
    assert "Faults are on: <code>search-loss</code>; <code>paused</code>." in page
    assert "2 messages are held by a paused account" in page


def test_faults_of_a_sandbox_are_on_from_its_start() -> None:
    with Sandbox(faults=["500:times=1"], seed=7) as sandbox, requests.Session() as session:
        api = Api(sandbox.url, sandbox.token, session)
        assert refused(api.call("POST", "/email", letter()))[:2] == (500, 101)
        assert api.post("/email", letter())["ErrorCode"] == 0
        assert sandbox.faults.seed == 7


def test_a_sandbox_with_a_fault_that_there_is_not_does_not_start() -> None:
    with pytest.raises(ValueError, match="there is no fault 'dorp'"):
        Sandbox(faults=["dorp"])


def test_the_command_line_sets_faults_and_a_seed() -> None:
    command = [sys.executable, "-W", "error", "-m", "newsletter", "sandbox", "--port", "0", "--seed", "7"]
    command += ["--fault", "accept-then-drop:share=0.1", "--fault", "search-lag:seconds=5"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[2]
        assert process.stderr.readline() == (
            "faults are on, drawn from seed 7: accept-then-drop:share=0.1; search-lag:seconds=5\n"
        )
        state = requests.get(f"{url}faults", timeout=10).json()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert state == {
        "seed": 7,
        "faults": [
            {"fault": "accept-then-drop:share=0.1", "struck": 0},
            {"fault": "search-lag:seconds=5", "struck": 0},
        ],
        "held": 0,
    }


def test_the_command_line_explains_faults_and_refuses_a_wrong_one() -> None:
    run = CliRunner(env={"COLUMNS": "300", "TERMINAL_WIDTH": "300"})
    explained = run.invoke(app, ["sandbox", "--help"])
    assert explained.exit_code == 0
    assert "--fault" in explained.output
    assert "accept-then-drop:share=0.1" in explained.output
    wrong = run.invoke(app, ["sandbox", "--fault", "dorp"])
    assert wrong.exit_code == 2
    assert "there is no fault 'dorp': choose from drop, stall" in wrong.output
    assert run.invoke(app, ["sandbox", "--seed", "x"]).exit_code == 2
