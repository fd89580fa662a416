#!/bin/bash
# enter_root.sh ROOT SITE COMMAND: the shell command line with ROOT as its root folder, where SITE (Python's site-packages) is /site.
# Exit code 77 where the system permits no mounts of one's own.
set -euo pipefail
export root=$1 site=$2 command=$3
enter='for folder in dev proc sys; do mount --rbind "/$folder" "$root/$folder" || exit 77; done
mount --bind "$site" "$root/site" || exit 77
exec chroot "$root" env -i PATH=/bin HOME=/tmp sh -c "$command"'
for namespaces in -m -Urm; do
  unshare $namespaces true 2>/dev/null && exec unshare $namespaces sh -c "$enter"
done
echo "unshare is not permitted here"
exit 77
