# Builds the Dockerfile and runs what it made, where something on this machine can build; says so where nothing can.
# Run by `.ci/run`; by hand: bash .ci/container.sh
set -euo pipefail

for builder in docker podman; do
    if command -v "$builder" > /dev/null && "$builder" info > /dev/null 2>&1; then
        break
    fi
    builder=""
done
if [[ -z $builder ]]; then
    echo "skipped: neither docker nor podman can build here"
    exit 0
fi

tag="refloop-ci:$$"
folder=$(mktemp -d)
trap 'rm -rf "$folder"; "$builder" rmi --force "$tag" > /dev/null 2>&1 || true' EXIT
run() {
    "$builder" run --rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
        -v "$folder:/etc/refloop:ro" "$@"
}

"$builder" build --quiet --tag "$tag" .
run "$tag" --version
[[ $(run --entrypoint id "$tag" -u) == 10001 ]] || { echo "it runs as root"; exit 1; }

# a configuration, a ledger that is made, and the command of the health check
printf 'version: 1\nledger: /var/lib/refloop/refloop.db\nconnections:\n  hs:\n    connector: hubspot\n    auth: {method: service_key, token: env:HUBSPOT_TOKEN}\n' > "$folder/config.yaml"
chmod 0755 "$folder"
chmod 0644 "$folder/config.yaml"
run "$tag" status > /dev/null
run "$tag" status --max-age 30 > /dev/null && { echo "what was never pulled is healthy"; exit 1; }
echo "built and run by $builder"
