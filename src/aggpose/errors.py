"""Errors that are the user's to mend."""

from __future__ import annotations


class UserError(Exception):
    """Wrong use or unreadable input.

    The message is one line that names the file, what is wrong and the mend. The command line
    prints it on stderr without a traceback and exits with 2.
    """
