"""Errors that the command line shows as one line."""


class Misuse(Exception):
    """The call asks for something that is not there or not allowed. Exit code 2, before any long work."""


class RunFailed(Exception):
    """A chapter was started and did not finish, or finished with other results than it should. Exit code 1."""


class KernelDied(RunFailed):
    """The kernel was lost under a run: killed, or out of memory. The same run may well go through another time."""
