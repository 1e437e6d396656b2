"""What OAM gives in a notebook: how long it lasts, a word before it ends, and why a program got no token.

Started by the kernel that `oam kernel install` writes: it runs ipykernel and loads itself as an IPython extension.
In VS Code the extension loads it into kernels that run, where the person agreed; `oam_access.load()` does the same.
`%oam` shows at any time who is signed in, what is held and how long it lasts; `oam_access.left()` gives the same to a
program. Warnings come 15 and 5 minutes before an end, in the middle of a cell too. Nothing here holds or shows a token.
"""

import json
import os
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

WARN_AT_MINUTES = (5, 15)
LOOK_EVERY_SECONDS = 5
# `oam` writes four times a minute; what is older is of a program that is gone.
STALE_AFTER_SECONDS = 120

# The extension's own code in the kernel: nobody reads what is printed there.
EXTENSION_CODE = "def _oam_point("

PLACEHOLDER = "no-token-oam-uses-the-pointer"


def _now():
    return datetime.now(timezone.utc)


def _moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _read():
    """What `oam` says, or nothing where it says nothing that can be believed."""
    try:
        with open(os.environ["OAM_ACCESS_FILE"], encoding="utf-8") as file:
            access = json.load(file)
        if (_now() - _moment(access["writtenAt"])).total_seconds() > STALE_AFTER_SECONDS:
            return None
        return access
    except (KeyError, OSError, TypeError, ValueError):
        return None


def left():
    """What is held: a list of (role, time left); the time is None where no end is known yet."""
    access = _read()
    if access is None or access["held"] is None:
        return []
    return [
        (one["role"], None if one["endsAt"] is None else _moment(one["endsAt"]) - _now())
        for one in access["held"]
    ]


def _words(time_left):
    if time_left is None:
        return "being set up"
    minutes = int(time_left.total_seconds() // 60)
    if minutes < 1:
        return "under 1 min left" if time_left > timedelta(0) else "ending now"
    return f"{minutes} min left" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min left"


def show():
    """Prints who is signed in, what is held, and what stands in the way."""
    access = _read()
    if access is None:
        print(
            "OAM does not look after this kernel. In VS Code, use OAM in the folder;"
            " elsewhere pick the kernel that `oam kernel install` wrote."
        )
        return
    place = access["workspace"].split("://")[-1]
    who = access["person"] or "nobody yet"
    print(f"OAM: {who} in {place}" + ("" if access["role"] is None else f", as the role {access['role']}"))
    held = left()
    for role, time_left in held:
        print(f"  {role}: {_words(time_left)}")
    if access["held"] == [] and access["person"] is not None:
        print("  everyday access, and no role")
    if access["refusal"] is not None:
        print(f"  The last program got no token. {access['refusal']['message']}")
    for line in access["said"]:
        print(f"  {line}")


class _Watch:
    """Says what changed, once, while cells run and after each."""

    def __init__(self):
        self._lock = threading.Lock()
        self._given = set()
        self._held = {}
        self._refusal = None
        self._cell = None

    def begin(self, info=None, *_):
        if (getattr(info, "raw_cell", None) or "").startswith(EXTENSION_CODE):
            return
        done = threading.Event()
        self._cell = done
        # Made in the cell, so that what it says stands below the cell.
        threading.Thread(target=self._look_until, args=(done,), name="oam-access", daemon=True).start()

    def end(self, *_):
        if self._cell is None:
            # Loaded in this very cell, which may be the extension's.
            return
        self._cell.set()
        self._cell = None
        self.look()

    def _look_until(self, done):
        while not done.wait(LOOK_EVERY_SECONDS):
            self.look()

    def look(self):
        access = _read()
        if access is None:
            return
        with self._lock:
            lines = [*self._ends(access), *self._refusals(access)]
        for line in lines:
            print(f"OAM: {line}", file=sys.stderr, flush=True)

    def _ends(self, access):
        # Nothing is known of what is held: that is no end.
        if access["held"] is None:
            return
        held = {one["id"]: one for one in access["held"]}
        for gone, role in list(self._held.items()):
            if gone not in held:
                del self._held[gone]
                yield f"The access has ended: {role}. Ask for it again, in VS Code or with `oam request`."
        for key, one in held.items():
            self._held[key] = one["role"]
            if one["endsAt"] is None:
                continue
            ends_at = _moment(one["endsAt"])
            minutes = (ends_at - _now()).total_seconds() / 60
            at = next((limit for limit in WARN_AT_MINUTES if minutes <= limit), None)
            # A window that is hardly longer than the warning needs none.
            if at is None or minutes <= 0 or one["minutes"] < 2 * at:
                continue
            if (key, one["endsAt"], at) not in self._given:
                self._given.add((key, one["endsAt"], at))
                clock = ends_at.astimezone().strftime("%H:%M")
                yield f"The access ends at {clock}: {one['role']}. Keep it with `oam extend {one['grant']}`."

    def _refusals(self, access):
        refusal = access["refusal"]
        if refusal is None:
            self._refusal = None
            return
        # Once for each reason: SDKs ask again and again.
        if refusal["code"] != self._refusal:
            self._refusal = refusal["code"]
            yield f"A program got no token. {refusal['message']}"
            yield from access["said"]


def _help_old_mlflow():
    """MLflow before 3.13 refuses a pointer unless some token stands beside it, and then uses the pointer."""
    tracks_databricks = os.environ.get("MLFLOW_TRACKING_URI", "").startswith("databricks")
    has_pointer = os.environ.get("DATABRICKS_AUTH_TYPE") == "metadata-service"
    if tracks_databricks and has_pointer and "DATABRICKS_TOKEN" not in os.environ and _mlflow_is_old():
        os.environ["DATABRICKS_TOKEN"] = PLACEHOLDER


def _mlflow_is_old():
    from importlib.metadata import PackageNotFoundError, version

    for name in ("mlflow", "mlflow-skinny"):
        try:
            major, minor = (int(part) for part in version(name).split(".")[:2])
        except (PackageNotFoundError, ValueError):
            continue
        return (major, minor) < (3, 13)
    return False


_watch = None


def load_ipython_extension(shell):
    global _watch
    if _watch is not None:
        return
    _watch = _Watch()
    shell.events.register("pre_run_cell", _watch.begin)
    shell.events.register("post_run_cell", _watch.end)
    shell.register_magic_function(lambda line: show(), magic_name="oam")
    _help_old_mlflow()


def load():
    """Loads this into the kernel that it is called in."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        shell.extension_manager.load_extension("oam_access")


def unload_ipython_extension(shell):
    global _watch
    if _watch is None:
        return
    shell.events.unregister("pre_run_cell", _watch.begin)
    shell.events.unregister("post_run_cell", _watch.end)
    _watch.end()
    _watch.look()
    _watch = None


if __name__ == "__main__":
    _help_old_mlflow()
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance(argv=[*sys.argv[1:], "--ext=oam_access"])
