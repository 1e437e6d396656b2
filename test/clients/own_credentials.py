"""What becomes of a program's own way to Databricks: one JSON line for each, with who Databricks says it is."""

import json
import sys

from databricks.sdk import AccountClient, WorkspaceClient

given = json.load(sys.stdin)
POINTED, OTHER, ACCOUNT = given["pointed"], given["other"], given["account"]
M2M = {"client_id": given["admin"]["applicationId"], "client_secret": given["admin"]["secret"]}


def me(**own):
    client = WorkspaceClient(**own)
    return [client.config.host, client.current_user.me().user_name]


def account(**own):
    client = AccountClient(account_id=ACCOUNT["accountId"], **own)
    return [client.config.host, len(list(client.groups_v2.list())) > 0]


def said(name, call):
    try:
        answer = {"name": name, "value": call()}
    except Exception as error:
        answer = {"name": name, "error": str(error)}
    print(json.dumps(answer), flush=True)


said("profile", lambda: me(profile="work"))
said("default profile", me)
said("token, same host", lambda: me(host=POINTED, token=given["pointedToken"]))
said("token, other host", lambda: me(host=OTHER, token=given["otherToken"]))
said("token, by its type", lambda: me(host=OTHER, token=given["otherToken"], auth_type="pat"))
said("M2M, same host", lambda: me(host=POINTED, **M2M))
said("M2M, other host", lambda: me(host=OTHER, **M2M))
said("account", lambda: account(host=ACCOUNT["host"], **M2M))
said("account profile", lambda: account(profile="account"))
