"""`blender -b face.blend --command unitalker …`: what the add-on does without a window, one command a file."""

from __future__ import annotations

import argparse
import sys

from .. import backend_session
from ..client.errors import UniTalkerError
from . import animate, batch, export


def run(arguments: list[str]) -> int:
    """What `--command unitalker` does; returns the exit code."""
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as end:  # of argparse, after it has printed help or what is wrong
        return int(end.code or 0)
    try:
        return int(options.run(options) or 0)
    except UniTalkerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        backend_session.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="blender -b FILE.blend --command unitalker")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("animate", help="make a mesh of the open file speak, and save the result")
    animate.add_arguments(command)
    command.set_defaults(run=animate.run)
    command = commands.add_parser("export", help="write the open file in a format of other programs")
    export.add_arguments(command)
    command.set_defaults(run=export.run)
    command = commands.add_parser("batch", help="animate and write many files, as a list says")
    batch.add_arguments(command)
    command.set_defaults(run=batch.run)
    return parser
