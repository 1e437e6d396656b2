"""Runs a command of a Databricks job with a role of OAM's, by the identity of the cluster's instance profile.

    python databricks_job.py --role recsys-deployer --purpose "Nightly training" --for 6h -- python train.py

For clusters with dedicated access mode only, and dedicated to whoever the job runs as. On a shared one, and on one that is dedicated to a
group, other people's programs run on the same machine, and 127.0.0.1, where OAM answers, is everybody's. There is no secret in here: the cluster asks AWS for a token that says which role it has, OAM takes
it for that role, and the rules say what it may have.
"""

import ctypes
import os
import pathlib
import signal
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
    workspace = WorkspaceClient()
    cluster = workspace.clusters.get(cluster_id).as_dict()
    mode = cluster.get("data_security_mode", "none")
    if mode not in DEDICATED:
        sys.exit(
            f"oam: This cluster's access mode is {mode}, and others may run programs on it, so nothing was started. "
            "Use a cluster with dedicated access mode."
        )
    whose, me = cluster.get("single_user_name"), workspace.current_user.me().user_name
    if whose is not None and whose.casefold() != (me or "").casefold():
        sys.exit(
            f"oam: This cluster is dedicated to {whose}, and this job runs as {me}: others may run programs on it, so nothing was "
            "started. Use a cluster that is dedicated to whoever the job runs as, and not to a group."
        )


def print_token():
    """A token of AWS for whoever this machine is, good for five minutes (`sts:GetWebIdentityToken`)."""
    import boto3

    answer = boto3.client("sts").get_web_identity_token(
        Audience=[AUDIENCE], SigningAlgorithm="RS256", DurationSeconds=300
    )
    print(answer["WebIdentityToken"])


def end_with_us():
    """In the new process: if this one is killed, as a job that is cancelled may be, it is told to stop, and gives the role back."""
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def run(command, env):
    """Runs a command in our place: it gets what asks us to stop, and nothing of it is left when we end."""
    process = None

    def pass_on(number, frame):
        if process is None:
            sys.exit(128 + number)
        process.send_signal(number)

    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, pass_on)
    except ValueError:
        pass  # Not the main thread: there nobody is told of signals.
    process = subprocess.Popen(command, env=env, preexec_fn=end_with_us)
    try:
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    return code if code >= 0 else 128 - code


def main(words):
    if words == ["token"]:
        return print_token()
    # The words of OAM_ID_TOKEN_COMMAND are split at blanks.
    here = os.path.abspath(main.__code__.co_filename)
    if "OAM_ID_TOKEN_COMMAND" not in os.environ and len(f"{sys.executable} {here}".split()) != 2:
        sys.exit(f"oam: There is a blank in the path of this script, so nothing was started. Put it elsewhere: {here}")
    require_dedicated()
    # What the job has of Databricks is its run-as principal's. The command works as the role, and has none of it.
    env = {name: value for name, value in os.environ.items() if not name.startswith("DATABRICKS_")}
    env.setdefault("OAM_ID_TOKEN_COMMAND", f"{sys.executable} {here} token")
    sys.exit(run(["oam", "exec", *words], env))


if __name__ == "__main__":
    main(sys.argv[1:])
