"""Runs a kernel by Jupyter's own client: JSON lines in, JSON lines out.

Started with the kernel's name. `run` does not wait for the cell, so that it can be interrupted.
"""

import json
import queue
import sys
import threading

from jupyter_client import KernelManager

manager = KernelManager(kernel_name=sys.argv[1])
say_lock = threading.Lock()


def say(message):
    with say_lock:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def connect():
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    return client


manager.start_kernel()
client = connect()
cells = queue.Queue()


def run_cells():
    while True:
        request = cells.get()

        def show(message, request=request):
            content = message["content"]
            if message["msg_type"] == "stream":
                say({"id": request["id"], "text": content["text"], "stream": content["name"]})
            elif message["msg_type"] == "error":
                say({"id": request["id"], "text": f"{content['ename']}: {content['evalue']}\n", "stream": "error"})

        try:
            reply = client.execute_interactive(request["code"], allow_stdin=False, output_hook=show)
            say({"id": request["id"], "ok": reply["content"]["status"] == "ok"})
        except RuntimeError as error:
            say({"id": request["id"], "text": f"{error}\n", "stream": "error"})
            say({"id": request["id"], "ok": False})


threading.Thread(target=run_cells, daemon=True).start()
say({"id": 0, "ok": True})
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "run":
        cells.put(request)
        continue
    if request["do"] == "interrupt":
        manager.interrupt_kernel()
    elif request["do"] == "restart":
        client.stop_channels()
        manager.restart_kernel(now=request["now"])
        client = connect()
    elif request["do"] == "shutdown":
        client.stop_channels()
        manager.shutdown_kernel(now=request["now"])
    say({"id": request["id"], "ok": True, "pid": manager.provisioner.pid if manager.has_kernel else None})
