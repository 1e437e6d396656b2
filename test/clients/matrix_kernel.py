"""Runs a file in an ipykernel that inherits this environment, and prints what it prints."""

import sys

from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="python3")
try:
    client.execute_interactive(
        f"import runpy, sys\ntry:\n    runpy.run_path({sys.argv[1]!r})\nexcept SystemExit:\n    pass",
        timeout=120,
        output_hook=lambda message: print(message["content"].get("text", ""), end="", flush=True),
    )
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
