"""Speaks Jupyter's wire protocol for the extension: JSON lines in, JSON lines out.

Started with the folder for the connection file; writes that file, says so, and waits for the kernel that the
extension starts itself.
"""

import json
import sys

from jupyter_client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

START_WITHIN_SECONDS = 60.0


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main(folder):
    # Sockets in a private folder: nobody else on the machine can talk to the kernel.
    path, _ = write_connection_file(f"{folder}/kernel.json", transport="ipc", ip=f"{folder}/k")
    say({"type": "connection-file", "path": path})
    client = BlockingKernelClient(connection_file=path)
    client.load_connection_file()
    # A kernel that is slow to start is not dead: the extension sees by itself when its process ends.
    client.hb_channel.time_to_dead = START_WITHIN_SECONDS
    client.start_channels()
    for line in sys.stdin:
        request = json.loads(line)
        if request["type"] == "wait":
            client.wait_for_ready(timeout=START_WITHIN_SECONDS)
            say({"type": "ready"})
        elif request["type"] == "execute":
            reply = client.execute_interactive(
                request["code"], allow_stdin=False, output_hook=lambda message: forward(message)
            )
            content = reply["content"]
            say({"type": "done", "ok": content["status"] == "ok", "count": content.get("execution_count")})
    client.stop_channels()


def forward(message):
    kind, content = message["msg_type"], message["content"]
    if kind == "stream":
        say({"type": "stream", "name": content["name"], "text": content["text"]})
    elif kind in ("execute_result", "display_data"):
        data = {mime: value for mime, value in content["data"].items() if isinstance(value, str)}
        say({"type": "data", "data": data})
    elif kind == "error":
        say({"type": "error", "name": content["ename"], "message": content["evalue"], "stack": content["traceback"]})


main(sys.argv[1])
