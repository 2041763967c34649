"""What an answer of Postmark's comes to, case by case: its words, who can mend it, how long to leave it alone."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from newsletter.delivery import postmark_answers as answers
from newsletter.delivery.postmark_answers import ADVICE, STATUS_ADVICE, explain, lasting, outcome_of, rest
from newsletter.delivery.postmark_client import ErrorAnswer, NotReached
from newsletter.delivery.provider import Accepted, NotSent, Refused, Unknown

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.mark.parametrize("code", ADVICE)
@pytest.mark.parametrize("status", [400, 401, 422, 499])
def test_a_code_of_postmarks_that_only_a_person_can_mend_says_how(status: int, code: int) -> None:
    error = ErrorAnswer(status, code, "no")
    assert explain(error) == f"Postmark refused the request (HTTP {status}, code {code}: no): {ADVICE[code]}"
    assert lasting(error)


@pytest.mark.parametrize("status", [200, 302, 399, 408, 429, 500, 502])
def test_the_same_code_with_a_status_that_is_no_refusal_is_no_advice(status: int) -> None:
    error = ErrorAnswer(status, 10, "no")
    assert explain(error) == f"Postmark refused the request (HTTP {status}, code 10: no)"
    assert not lasting(error)


@pytest.mark.parametrize(("status", "mended_by_a_person"), [(401, 1), (403, 0), (404, 0), (413, 1), (415, 1)])
def test_a_status_that_proves_that_nothing_was_sent_says_what_to_do(status: int, mended_by_a_person: int) -> None:
    error = ErrorAnswer(status, None, "no")
    words = f"Postmark refused the request (HTTP {status}: no): {STATUS_ADVICE[status]}"
    assert outcome_of(error) == NotSent(words, lasting=bool(mended_by_a_person))


@pytest.mark.parametrize("status", [400, 405, 422])
def test_these_statuses_are_postmarks_own_only_with_a_code(status: int) -> None:
    words = f"Postmark refused the request (HTTP {status}, code 999: no)"
    assert outcome_of(ErrorAnswer(status, 999, "no")) == NotSent(words)
    for code in (None, 0):
        assert isinstance(outcome_of(ErrorAnswer(status, code, "no")), Unknown)


@pytest.mark.parametrize("status", [302, 408, 418, 429, 500, 503])
def test_everything_else_is_unknown_in_its_own_words(status: int) -> None:
    outcome = outcome_of(ErrorAnswer(status, 10, "no"))
    assert outcome == Unknown(f"Postmark answered HTTP {status}, code 10: no", rest(ErrorAnswer(status, 10, "no")))


@pytest.mark.parametrize(
    ("status", "said", "seconds"),
    [
        (408, "", 0.0), (429, "", 0.0), (500, "", 0.0), (599, "", 0.0),
        (400, "17", None), (407, "17", None), (409, "17", None), (428, "17", None), (430, "17", None),
        (499, "17", None), (600, "17", None),
        (429, "17", 17.0), (503, "0", 0.0), (503, "900", 900.0), (503, "901", 900.0), (503, "999999999", 900.0),
        (503, "9999999999", 0.0), (503, "-5", 0.0), (503, "1.5", 0.0), (503, "soon", 0.0), (503, " 17", 0.0),
    ],
)  # fmt: skip
def test_how_long_it_wants_to_be_left_alone(status: int, said: str, seconds: float | None) -> None:
    assert rest(ErrorAnswer(status, None, "busy", retry_after=said)) == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(30, 30.0), (-30, 0.0), (900, 900.0), (901, 900.0), (0, 0.0)])
def test_a_date_to_come_again_at_is_read_by_the_clock_of_whoever_says_it(ahead: int, seconds: float) -> None:
    theirs = NOW + timedelta(days=400)
    again = format_datetime(theirs + timedelta(seconds=ahead), usegmt=True)
    assert rest(ErrorAnswer(503, None, "busy", again, format_datetime(theirs, usegmt=True))) == seconds


@pytest.mark.parametrize(("again", "date"), [(True, False), (False, True)])
def test_a_date_without_another_says_nothing(again: bool, date: bool) -> None:
    written = format_datetime(NOW, usegmt=True)
    assert rest(ErrorAnswer(503, None, "busy", written if again else "", written if date else "")) == 0.0
    assert rest(ErrorAnswer(503, None, "busy", written, format_datetime(NOW.replace(tzinfo=None)))) == 0.0


def test_a_connection_that_was_never_made_says_what_to_check() -> None:
    assert answers.explain_unreached(NotReached("refused")) == (
        "Postmark cannot be reached: check the network and NEWSLETTER_POSTMARK_API_URL (refused)"
    )


@pytest.mark.parametrize(
    ("answer", "shape"),
    [([], "0 items"), ([{}, {}, {}], "3 items"), ({}, "a dict"), (None, "a NoneType"), ("ok", "a str")],
)
def test_an_answer_of_another_shape_is_told_by_its_shape(answer: object, shape: str) -> None:
    doubt = answers.Verdict(Unknown(f"Postmark answered 2 messages with {shape}"))
    assert answers.read(answer, 2) == [doubt, doubt]


@pytest.mark.parametrize(
    ("item", "outcome", "code"),
    [
        ({"MessageID": "m", "ErrorCode": 0}, Accepted("m"), 0),
        ({"MessageID": "m"}, Accepted("m"), 0),
        ({"MessageID": "m", "ErrorCode": 406}, Accepted("m"), 0),
        ({"MessageID": ""}, Unknown("Postmark gave one message an id that cannot be one"), None),
        ({"MessageID": "a b", "ErrorCode": 406}, Unknown("Postmark gave one message an id that cannot be one"), None),
        ({"MessageID": "x" * 201}, Unknown("Postmark gave one message an id that cannot be one"), None),
        ({"MessageID": "x" * 200}, Accepted("x" * 200), 0),
        ({"ErrorCode": 0}, Unknown("Postmark gave one message neither an id nor an error"), None),
        ({"ErrorCode": "406"}, Unknown("Postmark gave one message neither an id nor an error"), None),
        ({"ErrorCode": True}, Unknown("Postmark gave one message neither an id nor an error"), None),
        ({}, Unknown("Postmark gave one message neither an id nor an error"), None),
        (None, Unknown("Postmark answered one message with something that is no object"), None),
        ({"ErrorCode": 101, "Message": "oh"}, Unknown("Postmark, code 101: oh", rest=0.0), 101),
        ({"ErrorCode": 406, "Message": "inactive"}, Refused("Postmark, code 406: inactive"), 406),
        ({"ErrorCode": 999, "Message": "new"}, Refused("Postmark, code 999: new", passing=True), 999),
        ({"ErrorCode": 1, "Message": None}, Refused("Postmark, code 1: ", passing=True), 1),
        (
            {"ErrorCode": 300, "Message": "Invalid 'To' address"},
            Refused("Postmark, code 300: Invalid 'To' address"),
            300,
        ),
        ({"ErrorCode": 300, "Message": "odd"}, Refused("Postmark, code 300: odd"), 300),
        (
            {"ErrorCode": 300, "Message": "Invalid 'From' address"},
            Refused("Postmark, code 300: Invalid 'From' address", passing=True),
            300,
        ),
        (
            {"ErrorCode": 300, "Message": "Metadata too long for inactive readers"},
            Refused("Postmark, code 300: Metadata too long for inactive readers"),
            300,
        ),
    ],
)
def test_one_message_of_an_answer(item: object, outcome: object, code: int | None) -> None:
    assert answers.read([item], 1) == [answers.Verdict(outcome, code)]  # type: ignore[arg-type]


@pytest.mark.parametrize("code", sorted(set(ADVICE) - set(answers.ONE_MESSAGE_MAY_BE_ODD)))
def test_a_code_about_us_stops_everything_though_it_comes_for_one_message(code: int) -> None:
    taken, stopped = answers.read([{"MessageID": "m"}, {"ErrorCode": code, "Message": "no"}], 2)
    assert taken.outcome == Accepted("m")
    words = f"Postmark refused the message (Postmark, code {code}: no): {ADVICE[code]}"
    assert stopped == answers.Verdict(NotSent(words, lasting=True), code)


@pytest.mark.parametrize("code", answers.ONE_MESSAGE_MAY_BE_ODD)
def test_a_code_that_may_be_about_one_message_is_about_us_only_where_all_of_several_get_it(code: int) -> None:
    item = {"ErrorCode": code, "Message": "no"}
    alone = Refused(f"Postmark, code {code}: no", passing=True)
    assert [one.outcome for one in answers.read([item], 1)] == [alone]
    assert answers.read([item, {"MessageID": "m"}], 2)[0].outcome == alone
    assert all(isinstance(one.outcome, NotSent) for one in answers.read([item, item], 2))


def test_an_id_that_stands_twice_is_nobodys() -> None:
    items = [{"MessageID": "a"}, {"MessageID": "b"}, {"MessageID": "a"}, {"ErrorCode": 406, "Message": "inactive"}]
    doubt = answers.Verdict(Unknown("Postmark gave one MessageID to several messages"))
    read = answers.read(items, 4)
    assert read == [
        doubt,
        answers.Verdict(Accepted("b"), 0),
        doubt,
        answers.Verdict(Refused("Postmark, code 406: inactive"), 406),
    ]


def test_what_stops_the_rest_of_a_batch() -> None:
    def verdicts(*outcomes: object) -> list[answers.Verdict]:
        return [answers.Verdict(outcome) for outcome in outcomes]  # type: ignore[arg-type]

    stop = NotSent("no", lasting=True)
    assert answers.stops_the_rest(verdicts(Accepted("a"), stop, NotSent("later"))) == stop
    assert answers.stops_the_rest(verdicts(Unknown("lost"), Refused("x"), Accepted("a"))) is None
    assert answers.stops_the_rest(verdicts(Unknown("lost"), Unknown("busy", 0.0))) == NotSent("busy", rest=0.0)
    assert answers.stops_the_rest([]) is None


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        (None, "there is no list of messages with its count in it"),
        ({"TotalCount": "1", "Messages": []}, "there is no list of messages with its count in it"),
        ({"TotalCount": True, "Messages": []}, "there is no list of messages with its count in it"),
        ({"TotalCount": 1, "Messages": {}}, "there is no list of messages with its count in it"),
        ({"TotalCount": 1, "Messages": [{}, None]}, "message 1 is none"),
        ({"TotalCount": 1, "Messages": [{"Metadata": ["batch"]}]}, "message 0 is none"),
        ({"TotalCount": 1, "Messages": [{"Metadata": {"batch": "b"}}]}, "message 0 has no row or no MessageID"),
        (
            {"TotalCount": 1, "Messages": [{"Metadata": {"batch": "b", "row": "r"}}]},
            "message 0 has no row or no MessageID",
        ),
        (
            {"TotalCount": 1, "Messages": [{"Metadata": {"batch": "b", "row": "a row"}, "MessageID": "m"}]},
            "a row is not a plain key of at most 80 characters",
        ),
    ],
)
def test_a_page_of_a_search_in_another_form_is_told_without_naming_anybody(page: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}$"):
        answers.read_search(page, "b")


def test_a_page_of_a_search_is_read_by_its_batch() -> None:
    messages = [
        {"Metadata": {"batch": "b", "row": "r-1"}, "MessageID": "m-1"},
        {"Metadata": {"batch": "c", "row": "r-2"}, "MessageID": "m-2"},
        {"Metadata": None, "MessageID": "m-3"},
        {"MessageID": "m-4"},
        {"Metadata": {"batch": "b", "row": "r-5"}, "MessageID": "m-5"},
    ]
    assert answers.read_search({"TotalCount": 7, "Messages": messages}, "b") == (7, [("r-1", "m-1"), ("r-5", "m-5")])
