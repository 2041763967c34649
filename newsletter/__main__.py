"""`python -m newsletter …` and `newsletter …` are the same."""

from newsletter.cli.app import main

if __name__ == "__main__":
    main()
