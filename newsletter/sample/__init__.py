"""What `newsletter demo` shows: ten comparisons of invented tools over three weeks, and forty invented readers."""
