"""The lifeline of a broker: a program that runs Kafka, and stops it when the process that started it ends.

`broker_process.py java ...` writes the pid of Java to its output and then reads its input, a pipe from the
process that started it. However that process ends, `kill -9` included, the kernel closes the pipe, on
every system. What Kafka prints goes to the error output.
"""

import os
import subprocess
import sys
import threading
from contextlib import suppress

DETACH = b"detach"
"""Input that lets Kafka live on after the process that started it."""
STOP_SECONDS = 10.0
"""How long Kafka may take to stop cleanly; it takes 0.3 s."""


def main() -> None:
    """Run the command line that the arguments are."""
    # Without close_fds, Kafka inherits the lock of its data folder.
    kafka = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr, close_fds=False)  # noqa: S603
    threading.Thread(target=follow_parent, args=(kafka,), daemon=True).start()
    with suppress(BrokenPipeError):  # the parent has ended already
        print(kafka.pid, flush=True)  # noqa: T201  this is its interface
    sys.exit(kafka.wait())


def follow_parent(kafka: subprocess.Popen[bytes]) -> None:
    """Wait until the parent lets go of its end of the pipe, and stop Kafka unless told otherwise."""
    # Unbuffered: a buffer's lock, held by a thread that waits, would end this program with an error.
    if os.read(sys.stdin.fileno(), len(DETACH)) == DETACH:
        os._exit(0)
    kafka.terminate()
    try:
        kafka.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        kafka.kill()


if __name__ == "__main__":
    main()
