"""One process of a flow: told on standard input what to do, started by the supervisor."""

import sys

from flows.running import work_as_told

if __name__ == "__main__":
    work_as_told(sys.stdin.buffer.read())
