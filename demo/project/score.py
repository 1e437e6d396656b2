"""Asks the ranker in production which items come next. Nothing here signs in or holds a token."""

import sys

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError

workspace = WorkspaceClient()
print("I am", workspace.current_user.me().user_name, "on", workspace.config.host)
try:
    answer = workspace.serving_endpoints.query(
        name="recsys-ranker-prod",
        dataframe_records=[{"user_id": 42, "basket": ["tea", "honey"]}],
    )
except DatabricksError as error:
    sys.exit(f"{error.error_code}: {error}")
print("The ranker answers:", answer.predictions)
