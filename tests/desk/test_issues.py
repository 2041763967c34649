"""The list of issues: paged by week, with a way to draft the week that has ended; and the history of each."""

import pytest

from newsletter import editing, steering
from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from newsletter.issues import issue as issues
from newsletter.issues.catalogue import PAGE
from newsletter.issues.issue import Issue
from newsletter.issues.versions import Version
from newsletter.issues.week import Week
from newsletter.web.desk import history
from tests.desk.world import At
from tests.web.world import NOW, W47, Parsed, a_comparison, approve, draft, keep, send


def rows(page: str) -> list[str]:
    """The weeks that a list names, in its order."""
    links = [str(tag["href"]) for tag in Parsed(page).named("a")]
    return [link.rpartition("/")[2] for link in links if link.startswith("/desk/issues/")]


def test_an_empty_desk_offers_to_draft_the_week_that_has_ended(assembly: Assembly, editor: At) -> None:
    keep(assembly, a_comparison(), a_comparison("Ruff", "Flake8"))
    page = editor.get("/desk/issues")
    assert "There is no issue yet" in page
    assert "2 comparisons wait" in page
    assert f"Draft {W47}" in page
    page = editor.does("/desk/issues", {"week": str(W47)})
    assert f"{W47} is drafted, of 2 comparisons." in page
    assert "Save the subject" in page  # it led to where it is written
    page = editor.get("/desk/issues")
    assert rows(page) == [str(W47)]
    assert f"Draft {W47}" not in page
    assert "No comparison waits" in page
    assert "drafted it" in editor.get(f"/desk/log?week={W47}")


def test_a_week_without_anything_new_makes_no_issue(assembly: Assembly, editor: At) -> None:
    page = editor.does("/desk/issues", {"week": str(W47)})
    assert "Nothing new was published" in page
    with reading(assembly.engine) as session:
        assert issues.every(session) == []


@pytest.mark.parametrize("week", ["2026-W48", "2026-W99", "", "../x"])
def test_only_a_week_that_has_ended_is_drafted(assembly: Assembly, editor: At, week: str) -> None:
    keep(assembly, a_comparison())
    assert "only a week that has ended" in editor.does("/desk/issues", {"week": week})
    with reading(assembly.engine) as session:
        assert issues.every(session) == []


def test_a_long_list_goes_on_by_week(assembly: Assembly, editor: At) -> None:
    first = Week(2025, 1)
    weeks = [first]
    while len(weeks) < PAGE + 2:
        weeks.append(weeks[-1].after())
    with writing(assembly.engine) as session:
        for week in weeks:
            session.add(Issue(week=str(week), subject="S", preheader="P", send_at=NOW, created_at=NOW))
        session.commit()
    newest_first = [str(week) for week in reversed(weeks)]
    page = editor.get("/desk/issues")
    assert rows(page) == newest_first[:PAGE]
    (next_,) = (str(tag["href"]) for tag in Parsed(page).named("a") if tag.get("rel") == "next")
    page = editor.get(next_)
    assert rows(page) == newest_first[PAGE:]
    assert 'rel="next"' not in page


def test_an_issue_leads_to_where_something_is_to_be_done(assembly: Assembly, editor: At) -> None:
    keep(assembly, a_comparison())
    draft(assembly)
    path = f"/desk/issues/{W47}"
    assert editor.client.get(path).headers["location"] == f"{path}/write"
    approve(assembly)
    assert editor.client.get(path).headers["location"] == f"{path}/send"
    for week in ("2026-W01", "2026-W99", "nothing"):
        editor.get(f"/desk/issues/{week}", 404)
        editor.get(f"/desk/issues/{week}/write", 404)
        editor.get(f"/desk/issues/{week}/history", 404)


def test_what_is_no_draft_is_shown_with_the_way_back(assembly: Assembly, editor: At, publisher: At) -> None:
    keep(assembly, a_comparison())
    draft(assembly)
    approve(assembly)
    path = f"/desk/issues/{W47}/write"
    assert "Take the approval back" in publisher.get(path)
    page = editor.get(path)
    assert "A publisher can take the approval back" in page
    assert "Inkwell vs Gantry" in page
    assert not Parsed(page).named("textarea")
    answer = editor.post(path, {"subject": "Mine", "version": "0"})
    assert answer.status_code == 422
    assert "only a draft can be changed" in answer.text
    assert '<blockquote class="typed" dir="auto">Mine</blockquote>' in answer.text  # not lost with the page
    part = editor.client.post(path, data={"csrf": editor.csrf(), "subject": "Mine"}, headers={"HX-Request": "true"})
    assert "only a draft can be changed" in part.text
    with writing(assembly.engine) as session:
        steering.cancel(session, W47)
        session.commit()
    assert f"Draft {W47} anew" in editor.get(path)
    assert "is drafted, of 1 comparison" in editor.does("/desk/issues", {"week": str(W47)})


def test_what_has_gone_out_is_only_shown(assembly: Assembly, publisher: At) -> None:
    send(assembly, a_comparison())
    page = publisher.get(f"/desk/issues/{W47}/write")
    assert "nothing of it can be changed any more" in page
    assert "<textarea" not in page


def test_the_history_names_who_did_what_the_newest_first(assembly: Assembly, editor: At) -> None:
    keep(assembly, a_comparison(), a_comparison("Ruff", "Flake8"))
    draft(assembly)
    path = f"/desk/issues/{W47}/history"
    assert "Nobody has changed it" in editor.get(path)
    with writing(assembly.engine) as session:
        editing.write(session, assembly.rules, W47, None, editor.editor_id, NOW, subject="Mine")
        issue = editing.write(session, assembly.rules, W47, None, None, NOW, preheader="By a command")
        for number in range(3, 3 + history.PAGE):
            session.add(Version(issue_id=issue.id or 0, number=number, at=NOW, what=f"step {number}", content="{}"))
        session.commit()
    page = editor.get(path)
    assert ">step 3<" in page
    assert "wrote the" not in page
    (next_,) = (str(tag["href"]) for tag in Parsed(page).named("a") if tag.get("rel") == "next")
    text = Parsed(editor.get(next_)).text
    told = ["a command", "wrote the preheader", "Editor", "wrote the subject", "as it was made", "drafted"]
    places = [text.index(each, text.index("Versions")) for each in told]
    assert places == sorted(places)
