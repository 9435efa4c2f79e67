"""Runs areas one after the other and prints one line for each.

`ok kv`, `FAIL lease: why`, or `not built lock: what the server said`; the exit code is 1 if an area failed.
"""

import os
import sys
import traceback


def endpoint():
    """Host and port of the server to ask: ETCD_ENDPOINT, or etcd's own default."""
    host, _, port = os.environ.get("ETCD_ENDPOINT", "127.0.0.1:2379").rpartition(":")
    return host, int(port)


def run(client, areas, not_built):
    """Runs each function of `areas` with `client`.

    `not_built` gets an exception and returns the server's words if they say that the call is not built there.
    """
    failed = False
    for area in areas:
        name = area.__name__.replace("_", " ").strip()
        try:
            area(client)
        except Exception as error:
            said = not_built(error)
            if said:
                print(f"not built {name}: {said}", flush=True)
                continue
            where = traceback.extract_tb(error.__traceback__)
            mine = [frame for frame in where if os.path.dirname(frame.filename) == os.path.dirname(__file__)][-1]
            print(f"FAIL {name}: line {mine.lineno}: {mine.line}: {error!r}", flush=True)
            failed = True
        else:
            print(f"ok {name}", flush=True)
    # Threads of a watch that nobody ended must not keep the program.
    sys.stdout.flush()
    os._exit(1 if failed else 0)


def refused(call, wanted):
    """Makes a call that must fail, and returns its error; `wanted` tells whether it is the right one."""
    try:
        call()
    except Exception as error:
        if not wanted(error):
            raise
        return error
    raise AssertionError("the call was not refused")
