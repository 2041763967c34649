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

    def issue(self, week: str) -> str:
        """A sent issue in the archive, by its ISO week (`2026-W47`)."""
        return f"{self.base_url}/issues/{week}"

    def comparison(self, slug: str) -> str:
        """The full panel of one comparison."""
        return f"{self.base_url}/comparisons/{slug}"

    def unsubscribe(self, token: str) -> str:
        """One reader's way out; `token` is URL-safe already."""
        return f"{self.base_url}/unsubscribe/{token}"
