#!/usr/bin/env bash
# Holds the Python client to its word: lint, types, tests against a real relay (npm ci comes first), the wheel, and that
# wheel installed elsewhere and used. Leaves nothing in the checkout. Options: --real also tests with Prefect and MLflow
# themselves; --report FILE leaves the figures. PYTHON picks another Python than python3.
# Ends with 77, and says why, where PyPI does not answer.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3}
real=
report=()
while [ $# -gt 0 ]; do
  case $1 in
  --real) real=yes ;;
  --report) report=("--report=$2") && shift ;;
  *) echo "check.sh: unknown option $1" >&2 && exit 2 ;;
  esac
  shift
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 MYPY_CACHE_DIR=$work/mypy RUFF_CACHE_DIR=$work/ruff
mkdir "$work/sources" && cp -R pyproject.toml README.md src "$work/sources"

"$python" -m venv "$work/tools"
if ! "$work/tools/bin/pip" download --quiet --no-deps --retries 1 --dest "$work/probe" hatchling >"$work/pip.log" 2>&1; then
  echo "skipped: the Python client was not tested, since PyPI does not answer: $(tail -1 "$work/pip.log")"
  exit 77
fi
"$work/tools/bin/pip" install --quiet -r requirements-dev.txt
echo "python: $("$work/tools/bin/python" --version)"

"$work/tools/bin/ruff" check .
"$work/tools/bin/ruff" format --check .
# What stands elsewhere, and prints.
others=(../../docs/examples ../../test/ct)
"$work/tools/bin/ruff" check --config pyproject.toml --extend-ignore T20,PLC0415 "${others[@]}"
"$work/tools/bin/ruff" format --check --config pyproject.toml "${others[@]}"
"$work/tools/bin/mypy"
# Once more where one fails, as the other lanes do: what a promotion may take includes the disk of a busy machine.
"$work/tools/bin/pytest" -p no:cacheprovider --reruns 1 "${report[@]}" tests
if [ -n "$real" ]; then
  "$work/tools/bin/pip" install --quiet -r requirements-real.txt
  # Others' warnings are theirs.
  "$work/tools/bin/pytest" -p no:cacheprovider -W ignore tests_real
fi

"$work/tools/bin/pip" wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work/dist" "$work/sources"
"$python" -m venv "$work/user"
"$work/user/bin/pip" install --quiet --no-index "$work"/dist/*.whl
# From elsewhere: what is imported is what was installed.
cd "$work"
"$work/user/bin/python" -W error - <<'PYTHON'
from importlib.metadata import requires, version
from importlib.resources import files

import promotion_relay

assert promotion_relay.promote("fraud-detector", "5").status == "unavailable"
assert requires("promotion-relay") is None, requires("promotion-relay")
assert files("promotion_relay").joinpath("py.typed").is_file()
print(f"python: promotion-relay {version('promotion-relay')} installs from its wheel, and is used")
PYTHON
"$work/user/bin/python" -m promotion_relay --help >/dev/null
