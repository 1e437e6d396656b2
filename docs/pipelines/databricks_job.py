"""Runs a command of a Databricks job with a role of OAM's, by the identity of the cluster's instance profile.

    python databricks_job.py --role recsys-deployer --purpose "Nightly training" --for 6h -- python train.py

For clusters with dedicated access mode only. On a shared one other people's programs run on the same machine, and 127.0.0.1, where
OAM answers, is everybody's. There is no secret in here: the cluster asks AWS for a token that says which role it has, OAM takes
it for that role, and the rules say what it may have.
"""

import os
import pathlib
import subprocess
import sys

AUDIENCE = os.environ.get("OAM_WORKLOAD_AUDIENCE", "urn:oam:workloads")

# As the clusters API names it: `SINGLE_USER` is the older name of dedicated access mode.
DEDICATED = {"SINGLE_USER", "DATA_SECURITY_MODE_DEDICATED"}

# databricks_cluster_init.sh leaves it there.
CLUSTER_ID_FILE = pathlib.Path(os.environ.get("OAM_CLUSTER_ID_FILE", "/databricks/oam/cluster-id"))


def require_dedicated():
    """Asks Databricks, as the job's run-as principal, what the machine cannot be trusted to say of itself."""
    from databricks.sdk import WorkspaceClient

    try:
        cluster_id = CLUSTER_ID_FILE.read_text().strip()
    except OSError:
        sys.exit("oam: This cluster was not set up by databricks_cluster_init.sh, so nothing was started.")
    mode = WorkspaceClient().clusters.get(cluster_id).as_dict().get("data_security_mode", "none")
    if mode not in DEDICATED:
        sys.exit(
            f"oam: This cluster's access mode is {mode}, and others may run programs on it, so nothing was started. "
            "Use a cluster with dedicated access mode."
        )


def print_token():
    """A token of AWS for whoever this machine is, good for five minutes (`sts:GetWebIdentityToken`)."""
    import boto3

    answer = boto3.client("sts").get_web_identity_token(
        Audience=[AUDIENCE], SigningAlgorithm="RS256", DurationSeconds=300
    )
    print(answer["WebIdentityToken"])


def main(words):
    if words == ["token"]:
        return print_token()
    require_dedicated()
    # What the job has of Databricks is its run-as principal's. The command works as the role, and has none of it.
    env = {name: value for name, value in os.environ.items() if not name.startswith("DATABRICKS_")}
    env.setdefault("OAM_ID_TOKEN_COMMAND", f"{sys.executable} {os.path.abspath(__file__)} token")
    sys.exit(subprocess.run(["oam", "exec", *words], env=env).returncode)


if __name__ == "__main__":
    main(sys.argv[1:])
