#!/bin/sh
# Chromium for the tests of the built book: found, or installed where a package manager can. Never fails: without a
# browser those tests are skipped and say so.
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
