"""Is the week's issue fit to go out, and did an editor say so? Preview, approve, and hold what goes out against it.

What an editor approved is bound by its digest and by what it is made of: where either differs later (a comparison
changed, a template, a setting that shows), it is not sent, and what has changed is named. Nothing is approved, and
nothing goes out, of which any reader's variant has a finding. Every function works inside the caller's transaction.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlmodel import Session

from newsletter.comparisons.categories import categories_of, category_key, muted_among
from newsletter.comparisons.record import Comparison
from newsletter.issues import issue as issues
from newsletter.issues import versions
from newsletter.issues.issue import Issue
from newsletter.issues.variants import Plan, Selection, plan
from newsletter.issues.week import Week
from newsletter.language import available, own_name
from newsletter.message import Letter
from newsletter.rendering.edition import Edition
from newsletter.rendering.ingredients import changes, in_short, ingredients, written
from newsletter.rendering.letter import render
from newsletter.rendering.lint import lint
from newsletter.weekly import (
    NOT_BEGUN,
    CannotDo,
    Rules,
    compose,
    in_language,
    manuscript,
    refuse_same_subject,
    require,
    way_on,
)
from subscribers import audience


@dataclass(frozen=True)
class Shown:
    """What an editor had before them who approves: the letter's digest, and the version that it was made of."""

    digest: str
    version: int


@dataclass(frozen=True)
class Reach:
    """How many readers would get an issue that began now, in how many variants, and for whom nothing is left of it."""

    readers: int
    left_out: int
    variants: int


def readership(session: Session, rules: Rules, comparisons: Sequence[Comparison]) -> Plan:
    """Who would get what of an issue with these comparisons, if it went out now."""
    return plan(comparisons, audience.choices(session), other_languages(rules))


def drawn(
    session: Session, rules: Rules, comparisons: Sequence[Comparison], at: datetime
) -> tuple[Counter[tuple[str, str | None]], Plan]:
    """What readers have chosen -> how many, and who gets what, of an issue that begins at a moment.

    Also of those whose rest is over by then: the send wakes them first of all.
    """
    choices = Counter(audience.choices(session)) + Counter(audience.waking(session, at))
    return choices, plan(comparisons, choices, other_languages(rules))


def reach(session: Session, rules: Rules, comparisons: Sequence[Comparison], now: datetime) -> Reach:
    """How far an issue with these comparisons would go that began now."""
    choices, planned = drawn(session, rules, comparisons, now)
    return Reach(choices.total() - planned.left_out, planned.left_out, 1 + len(planned.selections))


def whole_letter(whole: Edition) -> Letter:
    """The letter of an issue for whoever has muted nothing and reads it in the newsletter's own language."""
    return _rendered(whole, frozenset())


def findings(whole: Edition) -> tuple[str, ...]:
    """What `lint` finds in that letter: a sentence each."""
    return _findings(whole, frozenset())


def variant_of(whole: Edition, selection: Selection) -> Letter:
    """Render a variant of an issue."""
    return _rendered(in_language(whole, selection.language), selection.without)


def findings_of(whole: Edition, selection: Selection) -> tuple[str, ...]:
    """What `lint` finds in a variant of an issue; remembered, as approving and sending look for the same."""
    return _findings(in_language(whole, selection.language), selection.without)


def left_without(comparisons: Sequence[Comparison], muted: Collection[str], week: Week) -> frozenset[str]:
    """What a reader is not sent of an issue who has muted these categories: slugs; none where nothing is muted.

    Raises CannotDo for a category that none of the comparisons has, and where nothing would be left.
    """
    known = categories_of(comparisons)
    if strange := [name for name in muted if category_key(name) not in map(category_key, known)]:
        raise CannotDo(f"nothing in issue {week} is in the category {strange[0]!r}; there are: {', '.join(known)}")
    without = muted_among(comparisons, muted)
    if without and len(without) == len(comparisons):
        raise CannotDo(
            f"nothing is left of issue {week} for a reader who has muted {', '.join(muted)}: no letter goes out"
        )
    return without


def preview(session: Session, rules: Rules, week: Week) -> Letter:
    """Render an issue for an editor's eyes, and remember its digest as the one that was looked at. Raises CannotDo."""
    issue = require(session, week)
    letter = compose(session, rules, issue)
    issue.previewed_digest = letter.digest
    session.add(issue)
    return letter


def approve(
    session: Session, rules: Rules, week: Week, now: datetime, *, by: int | None = None, shown: Shown | None = None
) -> Issue:
    """Bind an editor's approval to the letter that was previewed, and to all that it is made of.

    Of a draft, or of an issue that was held before it began. `by`: the account of whoever approves at the desk, None on
    the command line; `shown`: what they had before them, where that is known, in place of the last preview. Raises
    CannotDo for any other issue, where it has changed since, where `by` may not, and where `lint` finds something.
    """
    issue = require(session, week)
    if issue.state not in (issues.DRAFT, issues.HELD) or issue.letter_id is not None:
        raise CannotDo(f"issue {week} is {issue.state}; only a draft can be approved{way_on(issue)}")
    if own := why_not(session, rules, issue, by):
        raise CannotDo(own)
    whole = manuscript(session, rules, issue)
    letter = render(whole)
    if shown is not None:
        if shown != Shown(letter.digest, issue.version):
            raise CannotDo(f"issue {week} has changed since you looked; look at it again, then approve it")
    elif issue.previewed_digest not in (None, letter.digest):
        raise CannotDo(f"issue {week} has changed since it was previewed; look at `issues preview {week}` again")
    if findings := lint(letter):
        raise CannotDo(f"the letter of {week} is not fit to go out: " + "; ".join(findings))
    refuse_unfit(whole, _may_get(session, rules, whole))
    refuse_same_subject(session, issue)
    issues.move(issue, issues.APPROVED)
    issue.digest = letter.digest
    issue.approved_of = written(ingredients(whole, rules.shown))
    issue.approved_at = now
    issue.held_because = None
    session.add(issue)
    return issue


def why_not(session: Session, rules: Rules, issue: Issue, by: int | None) -> str | None:
    """Why somebody may not approve an issue as it stands; None where they may.

    Who wrote its last change does not, unless the rules say otherwise: four eyes see more. The command line may always.
    """
    if by is None or rules.approver != "other" or last_writer(session, issue) != by:
        return None
    return f"you wrote the last change of issue {issue.week} yourself; another publisher is to approve it"


def last_writer(session: Session, issue: Issue) -> int | None:
    """The account that made the newest version of an issue; None: the command line or the clock."""
    newest = versions.newest(session, issue)
    return newest.editor_id if newest else None


def unapprove(session: Session, week: Week) -> Issue:
    """Take an approval back. Raises CannotDo where there is none, or the issue is already going out."""
    issue = require(session, week)
    if issue.state not in NOT_BEGUN or issue.letter_id is not None:
        raise CannotDo(f"issue {week} is {issue.state}; there is no approval to take back{way_on(issue)}")
    issues.move(issue, issues.DRAFT)
    issue.digest = issue.approved_of = issue.approved_at = issue.held_because = None
    session.add(issue)
    return issue


def changes_since_approval(session: Session, rules: Rules, issue: Issue) -> list[str]:
    """What has changed since an issue was approved, a clause each: its send will be refused, naming these.

    None where it may go out as it stands, where nobody has approved it, and where it is frozen because it has begun.
    """
    if issue.digest is None or issue.letter_id is not None:
        return []
    whole = manuscript(session, rules, issue)
    return _made_otherwise(issue, rules, whole) or _rendered_otherwise(issue, render(whole))


def as_approved(session: Session, rules: Rules, issue: Issue) -> tuple[Edition, Letter]:
    """An approved issue's manuscript and letter. Raises CannotDo, naming what has changed since the approval."""
    whole = manuscript(session, rules, issue)
    _refuse_changed(issue, _made_otherwise(issue, rules, whole))
    letter = render(whole)
    _refuse_changed(issue, _rendered_otherwise(issue, letter))
    return whole, letter


def look_over(session: Session, rules: Rules, week: Week) -> None:
    """Do the slow part of `approve`, or of a send, beforehand in a session that only reads: findings are remembered."""
    issue = require(session, week)
    whole = manuscript(session, rules, issue)
    is_approved = issue.digest is not None
    if is_approved and _made_otherwise(issue, rules, whole):
        return  # it will be refused, and may not even compile
    for _ in _unfit(whole, _gets(session, rules, whole) if is_approved else _may_get(session, rules, whole)):
        pass


def refuse_unfit(whole: Edition, selections: Iterable[Selection]) -> None:
    """Raises CannotDo where `lint` finds something in one of these variants, and says whose it is.

    A reader may have chosen since the approval what nobody had chosen then.
    """
    for selection, found in _unfit(whole, selections):
        raise CannotDo(f"the letter of {whole.week} for {_who(selection)} is not fit to go out: " + "; ".join(found))


def _gets(session: Session, rules: Rules, whole: Edition) -> Sequence[Selection]:
    """The variants that today's readers get."""
    return readership(session, rules, whole.comparisons).selections


def _may_get(session: Session, rules: Rules, whole: Edition) -> list[Selection]:
    """Those, and the whole letter in every language: the next reader may choose any."""
    in_full = [Selection(frozenset(), (), code) for code in sorted(other_languages(rules))]
    return list(dict.fromkeys([*_gets(session, rules, whole), *in_full]))


def other_languages(rules: Rules) -> set[str]:
    """All that there are but the newsletter's own."""
    return set(available()) - {rules.masthead.language}


def _unfit(whole: Edition, selections: Iterable[Selection]) -> Iterator[tuple[Selection, tuple[str, ...]]]:
    """The variants in which `lint` finds something, and what."""
    for selection in selections:
        if found := findings_of(whole, selection):
            yield selection, found


def _who(selection: Selection) -> str:
    """The readers of a variant, for an editor's eyes."""
    muted = f"have muted {', '.join(selection.muted)}" if selection.without else ""
    language = f"read it in {own_name(selection.language)}" if selection.language else ""
    return f"those who {' and '.join(filter(None, (muted, language)))}"


@lru_cache(maxsize=4096)  # sentences, and hardly ever any
def _findings(whole: Edition, without: frozenset[str]) -> tuple[str, ...]:
    return tuple(lint(_rendered(whole, without)))


@lru_cache(maxsize=32)  # of some 90 KB each: so that a send freezes what it has just looked over, compiled once
def _rendered(whole: Edition, without: frozenset[str]) -> Letter:
    return render(whole, without)


def _made_otherwise(issue: Issue, rules: Rules, whole: Edition) -> list[str]:
    """What a letter is made of otherwise than its issue was approved; nothing is known of one approved long ago."""
    return changes(issue.approved_of, ingredients(whole, rules.shown)) if issue.approved_of is not None else []


def _rendered_otherwise(issue: Issue, letter: Letter) -> list[str]:
    """What makes a letter differ that is made of the same things as when its issue was approved, as far as is known."""
    if letter.digest == issue.digest:
        return []
    culprit = "a comparison, a template or a setting" if issue.approved_of is None else "the program that renders it"
    return [f"{culprit} was changed"]


def _refuse_changed(issue: Issue, changed: Sequence[str]) -> None:
    if changed:
        raise CannotDo(
            f"issue {issue.week} has changed since it was approved: {in_short(changed)}; "
            f"`issues unapprove {issue.week}`, preview and approve it again"
        )
