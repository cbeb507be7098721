#!/bin/sh
# The first process of a machine inside this one: the files of this machine with those of a package
# over them, processes and mounts of its own. All of it is gone when standard input ends.
# Usage: machine.sh WORK DEBS USERS program args…; DEBS is a folder of Debian packages, or empty.
set -eu
work=$1 debs=$2 users=$3
shift 3

layers=$work/layers root=$work/layers/root
mkdir "$layers"
mount -t tmpfs tmpfs "$layers"
mkdir "$layers/changes" "$layers/scratch" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layers/changes,workdir=$layers/scratch" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mkdir -p "$root$work"
mount --bind "$work" "$root$work"

for deb in ${debs:+"$debs"/*.deb}; do
  # Packages still have files in /lib, which is a link to /usr/lib by now.
  dpkg --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$root"
done
# Names are known here or not at all: no server waits for one of the network.
echo '127.0.0.1 localhost mx.peers.test' >"$root/etc/hosts"
echo 'hosts: files' >"$root/etc/nsswitch.conf"
rm -f "$root/etc/resolv.conf"
echo 'lookup file' >"$root/etc/resolv.conf"
id=64200
for user in $users; do
  echo "$user:x:$id:$id::/nonexistent:/bin/false" >>"$root/etc/passwd"
  echo "$user:x:$id:" >>"$root/etc/group"
  id=$((id + 1))
done

# Servers open /dev/stdout and /dev/stderr again, which works with a pipe and not with a socket.
chroot "$root" "$@" </dev/null 2>&1 | cat &
cat >/dev/null
