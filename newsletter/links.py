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

    def subscribe(self) -> str:
        """Where the sign-up form is, and where it posts to."""
        return f"{self.base_url}/subscribe"

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
