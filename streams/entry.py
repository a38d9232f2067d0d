"""The entry point of `tenfold`: Ctrl-C ends it quietly also while it is still being imported."""

import signal


def main() -> None:
    """Import the command line, in which Ctrl-C ends the process at once, and run it as Python is used to."""
    at_first = signal.getsignal(signal.SIGINT)
    if at_first is signal.default_int_handler:  # in the background it may be ignored, and stays so
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from streams.cli import main as command_line

    signal.signal(signal.SIGINT, at_first)
    command_line()
