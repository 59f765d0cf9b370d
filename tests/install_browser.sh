#!/bin/sh
# For the tests of the built book: Chromium, found or installed where a package manager can, and axe-core, the rules of
# accessibility that are run in it, from npm. Never fails: without them those tests are skipped and say so.

axe_version=4.14.1
axe_sha256=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c # of axe.min.js
axe=$(dirname "$0")/../_build/axe-core/axe.min.js

fetch_axe() {
  if echo "$axe_sha256  $axe" | sha256sum --check --status 2>/dev/null; then return; fi
  if ! command -v npm >/dev/null 2>&1; then
    echo "browser tests: no npm to fetch axe-core with; the tests of accessibility are skipped"
    return
  fi
  folder=$(dirname "$axe")
  rm -rf "$folder"
  mkdir -p "$folder"
  echo "fetching axe-core $axe_version for the browser tests"
  if (cd "$folder" && npm pack --silent "axe-core@$axe_version" >/dev/null 2>&1 && tar xzf axe-core-*.tgz --strip-components=1 package/axe.min.js) &&
    echo "$axe_sha256  $axe" | sha256sum --check --status; then
    return
  fi
  rm -rf "$folder"
  echo "browser tests: axe-core $axe_version could not be fetched, or is not what was pinned; its tests are skipped"
}
fetch_axe

for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if ! command -v apt-get >/dev/null 2>&1; then
  echo "browser tests: no Chromium and no apt-get; install Chromium to run them"
  exit 0
fi
as_root=""
if [ "$(id -u)" != 0 ]; then as_root="sudo -n"; fi
echo "installing Chromium for the browser tests"
if $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null 2>&1; then
  exit 0
fi
echo "browser tests: apt-get could not install chromium; install it to run them"
