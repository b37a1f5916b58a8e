"""`python -m backend` is the `unitalker` command."""

from backend.cli import main

main()
