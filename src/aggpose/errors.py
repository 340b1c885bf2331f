"""Errors that are the user's to mend."""

from __future__ import annotations


class UserError(Exception):
    """Wrong use or unreadable input.

    The message is one line that names the file, what is wrong and the mend. The command line
    prints it on stderr without a traceback and exits with 2.
    """


def installing(extra: str) -> str:
    """The command that installs an extra, for messages."""
    return f'pip install "aggpose[{extra}]" (in a clone of it: pip install ".[{extra}]")'
