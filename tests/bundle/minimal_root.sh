#!/bin/bash
# minimal_root.sh ROOT: fills the folder ROOT with the least of a system that the bundle may count on, from this machine's files: glibc, a
# POSIX shell and a few small tools, with what those need. No compiler, no MPI, no HDF5, no Python, no C++ library.
set -euo pipefail
root=$1
mkdir -p "$root"/{bin,dev,proc,sys,tmp,site,etc}

# with_libraries FILE: FILE and every library that the loader takes for it, at the same places.
with_libraries() {
  local file
  for file in "$1" $(ldd "$1" | grep -oE '/[^ ]+'); do
    [ -e "$root/$file" ] || { mkdir -p "$root/$(dirname "$file")" && cp -L "$file" "$root/$file"; }
  done
}

for tool in sh env cat ls head sort sed grep readlink dirname basename getconf; do
  file=$(type -P "$tool")
  with_libraries "$file"
  [ -e "$root/bin/$tool" ] || ln -s "$file" "$root/bin/$tool"
done
libc=$(ldd /bin/sh | grep -oE '/[^ ]+/libc\.so\.6')
for library in libm libdl libpthread librt libresolv libutil; do
  file=$(compgen -G "${libc%/*}/$library.so.*" | head -n 1)
  with_libraries "$file"
done
echo 'root:x:0:0:root:/tmp:/bin/sh' >"$root/etc/passwd"
