"""Plays a SCIM provisioning client against the directory of a control plane, by the checks of scim2-tester.

Prints one JSON line a check: {"title", "status", "reason"}.
"""

import json
import os

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server

http = Client(
    base_url=os.environ["SCIM_URL"],
    headers={"Authorization": f"Bearer {os.environ['SCIM_TOKEN']}"},
    timeout=30,
)
for result in check_server(SyncSCIMClient(http)):
    print(
        json.dumps(
            {
                "title": result.title,
                "status": result.status.name,
                "reason": str(result.reason or "")[:400],
            }
        ),
        flush=True,
    )
