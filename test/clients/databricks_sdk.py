"""Databricks' own Python SDK against the stand-in: one JSON line for each call, with its result or its error."""

import json
import os
import re
import sys
from urllib.parse import parse_qs, urlparse

import requests
from databricks.sdk import AccountClient, WorkspaceClient
from databricks.sdk.errors import DatabricksError
from databricks.sdk.oauth import OAuthClient, get_workspace_endpoints
from databricks.sdk.service.iam import Patch, PatchOp, PatchSchema

given = json.load(sys.stdin)
HOST = given["host"]
PATCH_OP = PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP
ROWS = [{"user": 1, "item": 2}]


def said(name, call):
    try:
        print(json.dumps({"name": name, "value": call()}), flush=True)
    except DatabricksError as error:
        answer = {"type": type(error).__name__, "code": error.error_code, "message": str(error)}
        print(json.dumps({"name": name, "error": answer}), flush=True)
    except ValueError as error:
        print(json.dumps({"name": name, "error": {"type": "ValueError", "message": str(error)}}), flush=True)


def federated(token, **more):
    os.environ["DATABRICKS_OIDC_TOKEN"] = token
    try:
        return WorkspaceClient(host=HOST, auth_type="env-oidc", **more).current_user.me().user_name
    finally:
        del os.environ["DATABRICKS_OIDC_TOKEN"]


def signed_in_by_browser():
    client = OAuthClient(
        oidc_endpoints=get_workspace_endpoints(HOST),
        redirect_url="http://localhost:8020",
        client_id="databricks-cli",
        scopes=["all-apis", "offline_access"],
    )
    consent = client.initiate_consent()
    address = consent.authorization_url
    page = requests.get(address).text
    form = {"sign_in": re.search(r'name="sign_in" value="([^"]+)"', page).group(1), **given["person"]}
    back = requests.post(address.split("?")[0], data=form, allow_redirects=False).headers["location"]
    answer = {name: values[0] for name, values in parse_qs(urlparse(back).query).items()}
    token = consent.exchange_callback_parameters(answer).token()
    return WorkspaceClient(host=HOST, token=token.access_token).current_user.me().user_name


person = WorkspaceClient(host=HOST, token=given["token"])
core = WorkspaceClient(host=HOST, client_id=given["core"]["applicationId"], client_secret=given["core"]["secret"])
account = AccountClient(
    host=given["account"]["host"],
    account_id=given["account"]["accountId"],
    client_id=given["admin"]["applicationId"],
    client_secret=given["admin"]["secret"],
)


token_admin = WorkspaceClient(
    host=HOST, client_id=given["tokens"]["applicationId"], client_secret=given["tokens"]["secret"]
)


def token_on_behalf():
    made = token_admin.token_management.create_obo_token(
        application_id=given["roleApplicationId"], lifetime_seconds=60, comment="made on behalf"
    )
    role = WorkspaceClient(host=HOST, token=made.token_value).current_user.me().user_name
    listed = [each.comment for each in token_admin.token_management.list() if each.token_id == made.token_info.token_id]
    token_admin.token_management.delete(made.token_info.token_id)
    left = [each for each in token_admin.token_management.list() if each.token_id == made.token_info.token_id]
    return [role, listed, len(left)]


def group_patch(operation):
    body = {"schemas": [PATCH_OP.value], "Operations": [operation]}
    core.api_client.do("PATCH", f"/api/2.0/account/scim/v2/Groups/{given['group']}", body=body)


def query():
    return person.serving_endpoints.query(given["endpoint"], dataframe_records=ROWS).predictions


said("me", lambda: person.current_user.me().user_name)
said("groups", lambda: sorted(group.display_name for group in person.groups.list()))
said("models", lambda: len(list(person.registered_models.list())))
said("model", lambda: person.registered_models.get(given["model"], include_aliases=True).aliases[0].alias_name)
said("versions", lambda: len(list(person.model_versions.list(given["model"]))))
said("endpoints", lambda: [each.name for each in person.serving_endpoints.list()])
said("endpoint", lambda: person.serving_endpoints.get(given["endpoint"]).permission_level.value)
said("endpoint that is missing", lambda: person.serving_endpoints.get("none").name)
said(
    "permissions",
    lambda: len(
        person.serving_endpoints.get_permissions(
            person.serving_endpoints.get(given["endpoint"]).id
        ).access_control_list
    ),
)
said("permissions by name", lambda: person.serving_endpoints.get_permissions(given["endpoint"]).object_id)
said("experiments", lambda: len(list(person.experiments.search_experiments())))
said("clusters", lambda: [each.cluster_name for each in person.clusters.list()])
said("cluster that is missing", lambda: person.clusters.get("none").cluster_id)
said("jobs", lambda: len(list(person.jobs.list())))
said("job that is missing", lambda: person.jobs.get(1).job_id)
said(
    "effective privileges",
    lambda: sorted(
        privilege.privilege.value
        for assignment in person.grants.get_effective("schema", "dev.recsys", max_results=0).privilege_assignments
        for privilege in assignment.privileges
    ),
)
said("effective privileges, small page", lambda: person.grants.get_effective("catalog", "prod", max_results=10).as_dict())
said("token", lambda: person.tokens.create(lifetime_seconds=60, comment="x").token_info.comment)
said("tokens", lambda: len(list(person.tokens.list())))
said("token on behalf of a role", token_on_behalf)
said("token on behalf of a role, by no admin", lambda: core.token_management.create_obo_token(
    application_id=given["roleApplicationId"], lifetime_seconds=60
).token_info.token_id)
said("token that is gone", lambda: token_admin.token_management.delete("none"))
said("wrong token", lambda: WorkspaceClient(host=HOST, token="dapi123").current_user.me().user_name)
said("core", lambda: core.current_user.me().user_name)
said(
    "core through the workspace's groups",
    lambda: core.groups.patch(
        given["group"],
        operations=[Patch(op=PatchOp.ADD, path="members", value=[{"value": given["id"]}])],
        schemas=[PATCH_OP],
    ),
)
said("query without the right", query)
said("add by the proxy", lambda: group_patch({"op": "add", "path": "members", "value": [{"value": given["id"]}]}))
said("query with the right", query)
said("scalar value", lambda: group_patch({"op": "add", "path": "members", "value": given["id"]}))
said("remove by the proxy", lambda: group_patch({"op": "remove", "path": f'members[value eq "{given["id"]}"]'}))
said("query after the right", query)
said("resolved", lambda: person.workspace_iam_v2.resolve_user_proxy(given["externalId"]).user.user_id)
said("account groups", lambda: len(list(account.groups_v2.list())))
said("account policies", lambda: [each.oidc_policy.subject_claim for each in account.federation_policy.list()])
said("person by ID token", lambda: federated(given["idToken"]))
said("access token at the wrong door", lambda: federated(given["accessToken"]))
said("role by OAM's token", lambda: federated(given["roleToken"], client_id=given["roleApplicationId"]))
said("role token without a client id", lambda: federated(given["roleToken"]))
said("sign-in by browser", signed_in_by_browser)
