"""What breaks each invariant: statements, as a hand in the database would give them; the data of `test_invariants`."""

NO_CLAIM = f"UPDATE deliveries SET batch = '{'0' * 32}' WHERE subscriber_id < 3"
VOTE = (
    "INSERT INTO votes (comparison_id, subscriber_id, choice, voted_at, changed_at)"
    " SELECT {comparison}, id, 'both', since, since FROM subscribers WHERE id = {reader}"
)
QUEUED_AGAIN = "state = 'queued', message_id = NULL, batch = NULL, settled_at = NULL"
SENT_AT_ONCE = "letter 1 (2026-W47): "

BREAKS = [
    (
        "_accounting_adds_up",
        "UPDATE letters SET audience = 4 WHERE id = 1",
        "letter 1 (2026-W47): the audience is 4, but its rows",
    ),
    (
        "_accounting_adds_up",
        "DELETE FROM deliveries WHERE subscriber_id = 2",
        "letter 1 (2026-W47): the audience is 3, but its rows",
    ),
    (
        "_rows_are_sound",
        "UPDATE deliveries SET state = 'sent' WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers are in a state that there is not",
    ),
    (
        "_rows_are_sound",
        "UPDATE deliveries SET message_id = NULL WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers are accepted without the provider's id",
    ),
    (
        "_rows_are_sound",
        "UPDATE deliveries SET message_id = '' WHERE subscriber_id < 2",
        SENT_AT_ONCE + "1 readers are accepted without the provider's id",
    ),
    (
        "_rows_are_sound",
        "UPDATE deliveries SET state = 'suppressed' WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers have a provider's id, but are not accepted",
    ),
    (
        "_rows_are_sound",
        "UPDATE issues SET state = 'paused'; UPDATE deliveries"
        " SET state = 'in_doubt', message_id = NULL, settled_at = NULL, batch = NULL WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers are under way or in doubt without a batch",
    ),
    (
        "_rows_are_sound",
        "UPDATE issues SET state = 'paused';"
        " UPDATE deliveries SET state = 'queued', message_id = NULL, settled_at = NULL WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers are queued, but in a batch",
    ),
    ("_rows_are_sound", NO_CLAIM, SENT_AT_ONCE + "2 readers are in a batch that was never claimed"),
    (
        "_rows_are_sound",
        "UPDATE claims SET letter_id = 2, taken = 0",
        SENT_AT_ONCE + "3 readers are in a batch that was never claimed",
    ),
    (
        "_rows_are_sound",
        "UPDATE deliveries SET state = 'refused', message_id = NULL WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers are refused without a reason",
    ),
    (
        "_rows_are_sound",
        "UPDATE deliveries SET settled_at = NULL WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers are settled, but it is not known since when",
    ),
    (
        "_rows_are_sound",
        "UPDATE issues SET state = 'paused';"
        " UPDATE deliveries SET state = 'in_doubt', message_id = NULL WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers are not settled, but it says since when",
    ),
    ("_claims_are_sound", "UPDATE claims SET taken = 4", "claim 1: of letter 1, which has 3 readers, 4 are said to be"),
    (
        "_claims_are_sound",
        "UPDATE claims SET taken = -1",
        "claim 1: of letter 1, which has 3 readers, -1 are said to be",
    ),
    (
        "_frozen_letters_are_whole",
        "UPDATE letters SET text = text || '.' WHERE id = 1",
        "letter 1 (2026-W47): its content no longer has its digest",
    ),
    ("_what_was_approved_is_what_goes_out", "UPDATE issues SET digest = 'another'", "issue 2026-W47: approved another"),
    (
        "_what_was_approved_is_what_goes_out",
        "UPDATE issues SET state = 'approved', digest = NULL, letter_id = NULL; UPDATE letters SET open = true",
        "issue 2026-W47 is approved, but it does not say which letter was approved",
    ),
    ("_issues_are_in_known_states", "UPDATE issues SET state = 'gone'", "issue 2026-W47 is in the state 'gone', which"),
    (
        "_issues_under_way_have_letters",
        "UPDATE issues SET state = 'draft'",
        "issue 2026-W47 is draft, but its letter is 1",
    ),
    (
        "_issues_under_way_have_letters",
        "UPDATE issues SET letter_id = NULL; UPDATE letters SET open = true",
        "issue 2026-W47 is sent, but its letter is None",
    ),
    (
        "_issues_under_way_have_letters",
        "INSERT INTO issues (week, version, state, subject, preheader, send_at, created_at, digest, letter_id)"
        " SELECT '2026-W48', 0, 'sent', '', '', send_at, created_at, digest, letter_id FROM issues;"
        " UPDATE issue_comparisons SET issue_id = (SELECT id FROM issues WHERE week = '2026-W48') WHERE place = 1",
        "issue 2026-W48 has letter 1, which is that of issue 2026-W47",
    ),
    (
        "_letters_are_open_while_they_go_out",
        "UPDATE letters SET open = true WHERE id = 1",
        "letter 1 (2026-W47) is open, but is that of issue 2026-W47, which is sent",
    ),
    (
        "_letters_are_open_while_they_go_out",
        "UPDATE issues SET state = 'sending'",
        "letter 1 (2026-W47) is closed, but is that of issue 2026-W47, which is sending",
    ),
    (
        "_letters_are_open_while_they_go_out",
        "UPDATE letters SET open = false WHERE id = 2",
        "letter 2 (welcome) is closed, but is no issue's",
    ),
    (
        "_sent_issues_are_settled",
        f"UPDATE deliveries SET {QUEUED_AGAIN} WHERE subscriber_id = 2",
        "issue 2026-W47 is sent, but 1 readers are not settled",
    ),
    ("_held_issues_say_why", "UPDATE issues SET state = 'held'", "issue 2026-W47 is held, but does not say why"),
    (
        "_held_issues_say_why",
        "UPDATE issues SET held_because = 'late'",
        "issue 2026-W47 is sent, but says why it is held",
    ),
    ("_issues_have_comparisons", "DELETE FROM issue_comparisons", "issue 2026-W47 has no comparisons"),
    (
        "_variants_are_whole",
        "INSERT INTO letter_variants (letter_id, number, without, subject, preheader, html, text, digest)"
        " VALUES (1, 1, '[]', 's', 'p', 'h', 't', 'another')",
        "letter 1, variant 1: its content no longer has its digest another",
    ),
    (
        "_every_copy_is_of_a_variant_that_there_is",
        "UPDATE deliveries SET variant = 7 WHERE subscriber_id < 3",
        "letter 1: 2 readers are to have variant 7, which there is not",
    ),
    (
        "_the_erased_hold_nothing",
        "UPDATE subscribers SET email = '' WHERE id = 2",
        "subscriber 2: erased by half, or nameless and not erased",
    ),
    (
        "_the_erased_hold_nothing",
        "UPDATE subscribers SET muted = '[\"Code\"]' WHERE id = 4",
        "subscriber 4: erased by half, or nameless and not erased",
    ),
    (
        "_the_erased_hold_nothing",
        "UPDATE consents SET source = 'a file'",
        "consent 1: still says something of somebody who was erased",
    ),
    (
        "_the_erased_hold_nothing",
        "INSERT INTO address_changes (subscriber_id, email, address_key, asked_at)"
        " VALUES (4, 'a', 'a', '2026-11-24 09:00:00.000000')",
        "address change 1: is of somebody who was erased",
    ),
    (
        "_no_erased_address_is_left",
        "UPDATE issues SET own_preheader = 'ask mailto:Gone@Example.com first'",
        "issues 1, own_preheader: holds an address that was erased",
    ),
    (
        "_suppressions_hold",
        "UPDATE subscribers SET status = 'suppressed' WHERE id = 2",
        "subscriber 2: is suppressed, but the address is not among the suppressions",
    ),
    (
        "_suppressions_hold",
        "UPDATE subscribers SET status = 'paused' WHERE id = 5",
        "subscriber 5: is paused, but the address is among the suppressions",
    ),
    (
        "_events_are_of_copies_that_there_are",
        "UPDATE events SET subscriber_id = 5",
        SENT_AT_ONCE + "2 events are of readers who have no copy of it",
    ),
    (
        "_events_are_of_copies_that_there_are",
        "UPDATE events SET pending = true WHERE id = 2;"
        " UPDATE deliveries SET state = 'refused', reason = 'no', message_id = NULL WHERE subscriber_id = 3",
        SENT_AT_ONCE + "1 events show that a copy was taken, but it is not accepted",
    ),
    (
        "_what_came_was_acted_upon",
        "UPDATE events SET pending = true",
        "1 events have waited for more than 1:00:00 for what has to come of them",
    ),
    (
        "_the_erased_hold_nothing",
        "UPDATE events SET letter_id = NULL, subscriber_id = 4 WHERE id = 2",
        "event 2: still holds what came of somebody who was erased",
    ),
    (
        "_the_erased_hold_nothing",
        "INSERT INTO deliveries (letter_id, subscriber_id, variant, state, passing, settled_at)"
        " SELECT 1, 4, 0, 'left', false, settled_at FROM deliveries WHERE subscriber_id = 1;"
        " UPDATE letters SET audience = 4 WHERE id = 1; " + VOTE.format(comparison=1, reader=4),
        "vote 1: is still that of somebody who was erased",
    ),
    (
        "_votes_are_of_those_who_have_had_the_issue",
        VOTE.format(comparison=3, reader=1),
        "comparison 3: 1 votes, but no issue with it has begun to go out",
    ),
    (
        "_votes_are_of_those_who_have_had_the_issue",
        VOTE.format(comparison=1, reader=5),
        "comparison 1: 1 votes of readers who have no copy of its issue",
    ),
    (
        "_keys_are_kept_as_hashes",
        "UPDATE api_keys SET digest = 'a key'",
        "key 1 of a program: what is kept of it is no SHA-256",
    ),
    ("_message_ids_are_unique", "UPDATE deliveries SET message_id = 'one'", "message one stands in 3 rows"),
]
"""The invariant, what breaks it, and how it is named."""
