#!/usr/bin/env bash
# Makes .venv from the two halves of the lock and fetches Kafka's jars; with the argument `browser` also sees to a Chromium, to
# age (which encrypts the dumps) and to an S3 server, which only the tests and the screenshots need; with `charts` to helm and promtool, which some tests
# are skipped without. Quick when nothing has changed; asks nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "install: $*" >&2; exit 1; }

fingerprint() { sha256sum "$@" | sha256sum | cut -d' ' -f1; }
is_done() { local stamp=$1; shift; [[ -f $stamp && $(<"$stamp") == "$(fingerprint "$@")" ]]; }

# apt_get <package> ...: only root can, and only where there is apt.
apt_get() {
  [[ $(id -u) == 0 && -x $(command -v apt-get) ]] || fail "$1 is missing: install it (Debian, Ubuntu: sudo apt-get install $*)"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

venv_stamp=.venv/.installed
if ! is_done $venv_stamp requirements.txt requirements-dev.txt; then
  python=${PYTHON:-python3}
  "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' ||
    fail "$python is missing or is not Python 3.11 to 3.13: give another one, PYTHON=python3.12 make install"
  "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_get python3-venv
  "$python" -m venv .venv
  .venv/bin/python -m pip install --quiet --require-hashes -r <(sed -n '/^uv==/,/[^\\]$/p' requirements-dev.txt)
  # Compiled now: where PYTHONDONTWRITEBYTECODE is set, each process would compile Airflow anew, 2.5 CPU seconds.
  .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes --excludes local/excludes.txt \
    --compile-bytecode -r requirements.txt -r requirements-dev.txt
  fingerprint requirements.txt requirements-dev.txt > $venv_stamp
fi

# sums <folder>: the jars of a folder by name, each with its hash.
sums() { (cd "$1" && sha256sum -- *.jar | LC_ALL=C sort -k 2); }

# jars <name>: what local/<name>/pom.xml names, into .local/lib/<name>: those of local/<name>/jars.sha256 to the byte, and no others.
jars() {
  local pom=local/$1/pom.xml locked=local/$1/jars.sha256 folder=.local/lib/$1 output
  is_done "$folder/.installed" "$pom" "$locked" && return
  command -v mvn >/dev/null || apt_get maven
  rm -rf "$folder" && mkdir -p "$folder"
  # Captured, because even a quiet Maven prints escape sequences.
  output=$(mvn --batch-mode --quiet --strict-checksums --file "$pom" dependency:copy-dependencies \
    -DoutputDirectory="$PWD/$folder" 2>&1) || fail "the jars of $1 could not be fetched: $output"
  output=$(diff "$locked" <(sums "$folder")) || fail "the jars of $1 are not those of $locked (< locked, > fetched). If it is you who
changed $pom: make jars ARGS=$1. Else somebody else did.
$output"
  fingerprint "$pom" "$locked" > "$folder/.installed"
}

if [[ ${1:-} == lock-jars ]]; then
  sums ".local/lib/${2:?kafka or s3}" > "local/$2/jars.sha256" && exit
fi

jars kafka

if [[ ${1:-} == browser ]]; then
  [[ -n $(command -v "${CHROMIUM:-chromium}" chromium-browser google-chrome) ]] ||
    apt_get chromium fonts-liberation   # without a font it draws no letters
  command -v age >/dev/null || apt_get age
  jars s3
fi

if [[ ${1:-} == charts ]]; then
  bin=$PWD/.local/bin
  mkdir -p "$bin"
  # Helm is built from its source by the machine's Go, where there is one: minutes the first time, seconds from Go's cache.
  if [[ -z ${HELM:-} && -z $(PATH=$bin:$PATH command -v helm) && -n $(command -v go) ]]; then
    GOBIN=$bin timeout 300 go install helm.sh/helm/v3/cmd/helm@v3.19.0 ||
      echo "install: no helm was built; the tests that render charts are skipped" >&2
  fi
  # Out of Debian's package, which installed would start a server.
  if [[ -z ${PROMTOOL:-} && -z $(PATH=$bin:$PATH command -v promtool) && -x $(command -v apt-get) ]]; then
    folder=$(mktemp -d)
    [[ $(id -u) != 0 ]] || apt-get update -qq
    (cd "$folder" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" prometheus && dpkg-deb --extract prometheus_*.deb .)
    mv "$folder"/usr/bin/prom* "$bin/" && rm -r "$folder"
  fi
fi
