"""`python -m backend` is the `unitalker` command; of it, `serve` needs less to be installed than the rest."""

from __future__ import annotations

import sys


def main() -> None:
    """Serve without the packages of the command line, which the extension does not carry; else be that."""
    if sys.argv[1:] == ["serve"]:
        sys.exit(_serve())
    from backend.cli import main as command_line

    command_line()


def _serve() -> int:
    try:
        from backend.server import serve
    # OSError: a shared library that a package brings and that cannot be loaded.
    except (ImportError, OSError) as error:
        from backend.installed_wheels import misfits

        # One line, because the add-on shows the last one.
        reasons = " ".join(misfits()) or f"Python {sys.version.split()[0]} at {sys.executable}."
        print(f"The backend cannot be loaded: {error}. {reasons}".replace("\n", " "), file=sys.stderr)
        return 1
    return serve()


if __name__ == "__main__":
    main()
