import re
from contextlib import closing

from newsletter.assembly import assemble
from newsletter.db import reading
from newsletter.keys import known
from tests.cli.conftest import Newsletter


def test_a_key_is_printed_alone_and_once_and_is_good(newsletter: Newsletter) -> None:
    done = newsletter("keys", "add", "the site")
    assert done.status == 0
    assert re.fullmatch(r"watv_[\w-]{43}\n", done.out)
    assert done.err.startswith("this is shown once")
    secret = done.out.strip()
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        key = known(session, secret)
        assert key is not None
        assert key.name == "the site"
    listed = newsletter("keys", "list").ok()
    assert "the site" in listed
    for shown in (listed, newsletter("keys", "list", "--json").ok()):
        assert secret not in shown
        assert key.digest not in shown


def test_json_holds_the_key_and_a_list_without_keys(newsletter: Newsletter) -> None:
    assert newsletter("keys", "list", "--json").document == []
    made = newsletter("keys", "add", " the  site ", "--json").document
    assert sorted(made) == ["created_at", "key", "name"]
    [listed] = newsletter("keys", "list", "--json").document
    assert listed == {"name": "the site", "created_at": listed["created_at"], "used_at": None, "revoked_at": None}


def test_a_name_is_given_once_and_a_key_revoked_once(newsletter: Newsletter) -> None:
    newsletter("keys", "add", "the site")
    assert "there is a key called 'the site' (of " in newsletter("keys", "add", "the site").refused()
    assert newsletter("keys", "revoke", "the site").ok() == "the key the site is revoked\n"
    assert newsletter("keys", "revoke", "the site").ok() == "the key the site was revoked before; nothing to do\n"
    assert "(revoked on " in newsletter("keys", "add", "the site").refused()
    assert newsletter("keys", "revoke", "[bold]x").refused() == (
        "newsletter: there is no key called '[bold]x'; `newsletter keys list` names those that there are"
    )
