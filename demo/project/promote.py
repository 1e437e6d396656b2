"""Makes the newest version of the ranker the one that production serves. Nothing here signs in or holds a token."""

import sys

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError

RANKER = "prod.recsys.ranker"

workspace = WorkspaceClient()
try:
    newest = max(version.version for version in workspace.model_versions.list(RANKER))
    workspace.registered_models.set_alias(RANKER, "champion", newest)
except DatabricksError as error:
    sys.exit(f"{error.error_code}: {error}")
print(f"The champion of {RANKER} is version {newest}.")
