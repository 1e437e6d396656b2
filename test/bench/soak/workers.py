"""Kernels and jobs of a soak: Databricks' own Python SDK, each with a pointer of its own, in a night that goes by faster."""

import json
import os
import random
import sys
import threading
import time
from datetime import datetime

from databricks.sdk import WorkspaceClient, oauth
from databricks.sdk.clock import Clock
from databricks.sdk.core import Config

given = json.load(sys.stdin)
BEGAN, SPEED = given["night"]["beganAtMs"] / 1000, given["night"]["speed"]


def now():
    return BEGAN + (time.time() - BEGAN) * SPEED


class FastDatetime(datetime):
    """The SDK asks it how late it is."""

    @classmethod
    def now(cls, tz=None):
        return datetime.fromtimestamp(now(), tz)


class FastClock(Clock):
    """The SDK repeats calls by it: as often, and for as long, as in a night that goes by slowly. What it waits for one answer
    stays the machine's own time, as the machine is no faster."""

    def time(self):
        return now()

    def sleep(self, seconds):
        time.sleep(seconds / SPEED)


oauth.datetime = FastDatetime
# What the machine has in its own environment is none of the workers'.
for name in [name for name in os.environ if name.startswith("DATABRICKS_")]:
    del os.environ[name]


starting = threading.Lock()


def start(config):
    """One after the other, because it is the night that is measured; what is refused at its start begins a little later."""
    while True:
        try:
            with starting:
                return WorkspaceClient(config=config())
        except ValueError:
            time.sleep(1)


def work(config, said):
    tokens = set()
    sent = refused = 0
    began = now()
    lost = None

    def look(answer, *_, **__):
        nonlocal sent, refused
        if answer.request.path_url.startswith("/api/"):
            sent += 1
            tokens.add(answer.request.headers["Authorization"])
            refused += answer.status_code in (401, 403)

    try:
        client = start(config)
        client.api_client._api_client._session.hooks["response"].append(look)
        began = now()
        until = began + given["nightMs"] / 1000
        while now() < until:
            try:
                client.current_user.me()
            except Exception:
                if not given["goesOn"]:
                    raise
            time.sleep(given["everySeconds"] / SPEED * random.uniform(0.5, 1.5))
    except Exception as error:
        lost = f"{type(error).__name__}: {error}"
    said.append({"sent": sent, "refused": refused, "tokens": len(tokens), "workedMs": (now() - began) * 1000, "lost": lost})


def pointed(url):
    return lambda: Config(host=given["host"], auth_type="metadata-service", metadata_service_url=url, clock=FastClock())


def injected(url):
    """As others do it: a token of the beginning in the environment."""
    return lambda: Config(host=given["host"], token=pointed(url)().authenticate()["Authorization"].split()[1])


said = []
source = injected if given["goesOn"] else pointed
threads = [threading.Thread(target=work, args=(source(url), said)) for url in given["urls"]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(said))
