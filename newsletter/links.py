"""Every URL that a letter prints, and where the web pages answer them.

Pure. `base_url` is the public address of the web pages, without a slash at the end.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Links:
    """The public addresses of one installation."""

    base_url: str

    def home(self) -> str:
        """The front page."""
        return f"{self.base_url}/"

    def issues(self) -> str:
        """The list of all issues."""
        return f"{self.base_url}/issues"

    def issue(self, week: str) -> str:
        """A sent issue in the archive, by its ISO week (`2026-W47`)."""
        return f"{self.base_url}/issues/{week}"

    def comparison(self, slug: str) -> str:
        """The full panel of one comparison."""
        return f"{self.base_url}/comparisons/{slug}"

    def tool(self, slug: str) -> str:
        """All verdicts on one tool."""
        return f"{self.base_url}/tools/{slug}"

    def subscribe(self) -> str:
        """Where the sign-up form is, and where it posts to."""
        return f"{self.base_url}/subscribe"

    def box(self) -> str:
        """The sign-up form alone, for a frame on another site's page."""
        return f"{self.base_url}/subscribe/box"

    def atom(self) -> str:
        """The newest issues as an Atom feed."""
        return f"{self.base_url}/feed.xml"

    def json_feed(self) -> str:
        """The same as a JSON Feed."""
        return f"{self.base_url}/feed.json"

    def sitemap(self) -> str:
        """All pages that anyone may read, for search engines."""
        return f"{self.base_url}/sitemap.xml"

    def invited(self, token: str) -> str:
        """Where somebody who is to work at the desk sets a password; no letter prints it, a command does."""
        return f"{self.base_url}/desk/invited/{token}"

    def confirm(self, token: str) -> str:
        """Where one reader confirms; tokens are URL-safe already."""
        return f"{self.base_url}/confirm/{token}"

    def preferences(self, token: str) -> str:
        """One reader's own page."""
        return f"{self.base_url}/preferences/{token}"

    def address(self, token: str) -> str:
        """Where one reader confirms a new address."""
        return f"{self.base_url}/address/{token}"

    def unsubscribe(self, token: str) -> str:
        """One reader's way out."""
        return f"{self.base_url}/unsubscribe/{token}"

    def vote(self, token: str) -> str:
        """Where one reader votes: a letter prints a comparison's slug behind it, and a choice."""
        return f"{self.base_url}/vote/{token}"

    def vote_page(self, token: str, slug: str, choice: str | None = None) -> str:
        """Where one reader votes on one comparison; with a choice (`votes.CHOICES`), that is set already."""
        return f"{self.vote(token)}/{slug}" + (f"?choice={choice}" if choice else "")

    def canary(self, token: str) -> str:
        """A page that no person is led to: what opens it opens every link of a letter."""
        return f"{self.base_url}/canary/{token}"
