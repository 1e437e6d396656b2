"""Each of Databricks' clients on whatever credential the environment has: one JSON line for each, with who they are taken for."""

import json
import os
import sys
import urllib.request

host = os.environ["DATABRICKS_HOST"]


def me(authorization):
    """Who Databricks takes the bearer of a header for."""
    asked = urllib.request.Request(f"{host}/api/2.0/preview/scim/v2/Me", headers={"Authorization": authorization})
    return json.load(urllib.request.urlopen(asked))["userName"]


def python_sdk():
    from databricks.sdk import WorkspaceClient

    return WorkspaceClient().current_user.me().user_name


def connect():
    """The header that databricks-connect puts on each call. The call itself needs a cluster."""
    from databricks.connect.auth import UnifiedAuthMetadata
    from databricks.sdk.core import Config

    said = []
    UnifiedAuthMetadata(Config())(None, lambda metadata, error: said.append((dict(metadata), error)))
    (metadata, error), = said
    if error is not None:
        raise error
    return me(metadata["authorization"])


def mlflow_client():
    import mlflow

    mlflow.set_tracking_uri("databricks")
    return f"{len(mlflow.search_experiments())} experiments"


def sql_connector():
    """The header that arrives: the stand-in has no warehouse, and answers as to any path that it does not know."""
    from databricks import sql
    from databricks.sdk.core import Config

    config = Config()
    try:
        sql.connect(
            server_hostname=config.hostname,
            http_path="/sql/1.0/warehouses/1234567890abcdef",
            credentials_provider=lambda: config.authenticate,
            _connection_uri=f"{host}/sql/1.0/warehouses/1234567890abcdef",
            _retry_stop_after_attempts_count=1,
            enable_telemetry=False,
        )
    except Exception as error:
        return type(error).__name__
    return "connected"


clients = {
    "Python SDK": python_sdk,
    "databricks-connect": connect,
    "MLflow": mlflow_client,
    "SQL connector": sql_connector,
}
for name, ask in clients.items():
    try:
        said = {"client": name, "value": ask()}
    except Exception as error:
        said = {"client": name, "error": f"{type(error).__name__}: {error}"}
    print("MATRIX " + json.dumps(said), flush=True)
sys.exit(0)
