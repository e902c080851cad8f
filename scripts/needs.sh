#!/bin/sh
# Installs what the tests and the tour drive the product with: real NBD and LUKS tools, a PKCS#11 token in software and a
# browser from Debian, and the Key Protect SDK, which lives in a folder of its own because it needs an older SDK core. Does nothing where everything is there.
#
#   sh scripts/needs.sh nbd     an NBD client (libnbd), for the tour
#   sh scripts/needs.sh test    all that the tests use
#   sh scripts/needs.sh bench   the servers and clients that the data plane is compared with
set -eu

need() { # command-or-file package
  if command -v "$1" >/dev/null 2>&1 || [ -e "$1" ]; then return 0; fi
  missing="$missing $2"
}

missing=
need nbdcopy libnbd-bin
need /usr/bin/nbdsh python3-libnbd
if [ "${1:-test}" = test ]; then
  need qemu-io qemu-utils
  need qemu-system-x86_64 qemu-system-x86
  need cryptsetup cryptsetup-bin
  need curl curl
  need softhsm2-util softhsm2
  need strace strace
  need mkfs.xfs xfsprogs
  need debugfs e2fsprogs
  need chromium chromium
  # Of the packages of PostgreSQL this one has the server; a cluster of the system's is not wanted.
  need /usr/lib/postgresql postgresql
  need /usr/share/fonts/truetype/dejavu fonts-dejavu-core
fi
if [ "${1:-test}" = bench ]; then
  need fio fio
  need qemu-nbd qemu-utils
  need qemu-storage-daemon qemu-system-common
  need nbdkit nbdkit
  need gcc gcc
  need /usr/include/libnbd.h libnbd-dev
  need /usr/include/stdlib.h libc6-dev
fi

if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "keyward: please install:$missing" >&2
    exit 1
  fi
  echo "keyward: installing$missing" >&2
  export DEBIAN_FRONTEND=noninteractive
  case "$missing" in
    *postgresql*)
      mkdir -p /etc/postgresql-common
      [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
      ;;
  esac
  apt-get update -qq >/dev/null
  # shellcheck disable=SC2086 # a list of words
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

if [ "${1:-test}" = test ]; then
  clients=$(dirname "$0")/../test/clients/key-protect
  [ -d "$clients/node_modules" ] || npm ci --silent --no-audit --no-fund --prefix "$clients"
fi
