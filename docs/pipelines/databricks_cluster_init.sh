#!/bin/bash
# Init script of a Databricks cluster with dedicated access mode: puts `oam` there, for databricks_job.py. It holds no secret.
# OAM_PACKAGE and OAM_NODE are environment variables of the cluster: where your company keeps OAM and Node 24 (.tar.xz).
set -euo pipefail

if [ -z "${DB_CLUSTER_ID:-}" ]; then
  echo "oam: this is no cluster of Databricks" >&2
  exit 1
fi
folder="${OAM_FOLDER:-/databricks/oam}"
mkdir -p "$folder/node"
curl --fail --silent --show-error --location --proto '=https' "$OAM_NODE" | tar --extract --xz --strip-components 1 --directory "$folder/node"
export PATH="$folder/node/bin:$PATH"
npm install --global "$OAM_PACKAGE"
ln -sf "$folder/node/bin/node" "$folder/node/bin/oam" "${OAM_BIN:-/usr/local/bin}/"
# Whether the cluster is dedicated is not said here: databricks_job.py asks Databricks before it starts anything.
printf '%s' "$DB_CLUSTER_ID" > "$folder/cluster-id"
chmod -R a+rX "$folder"
