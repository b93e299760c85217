#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: a Debian guest with a disk of each mode, all at work at the same time. The
# images are on a real file system where there is a disk for it. Arguments: what fio writes to each
# disk, how often, the time for the guest, and the modes.

suite=disk
# shellcheck source=tests/lib.sh
. ./lib.sh
size=$1 rounds=$2 limit=$3
shift 3

images=$PWD
if [ -b /dev/vdb ]; then
	images=/images
	mkdir -p $images && mount -t ext4 /dev/vdb $images || exit 1
fi

# The image of each mode, and where its space is taken.
image_of() {
	case $1 in
	device) echo /dev/loop0 ;;
	*) space_of "$1" ;;
	esac
}

space_of() {
	case $1 in
	memory) echo /dev/shm/memory.img ;;
	comma) echo "$images/com,ma.img" ;;
	*) echo "$images/$1.img" ;;
	esac
}

options_of() {
	case $1 in
	ring) echo aio=io_uring ;;
	comma) echo aio=threads ;;
	direct) echo direct=on ;;
	overlay) echo snapshot=on ;;
	queues) echo queues=2,direct=on ;;
	kept) echo discard=off ;;
	memory | device) echo discard=on ;;
	esac
}

modes=$*
set -- -d "$images/root.ext4,snapshot=on"
for mode in $modes; do
	space=$(space_of "$mode") image=$(image_of "$mode")
	rm -f "$space"
	truncate -s 48M "$space"
	if [ "$mode" = device ]; then
		modprobe loop
		losetup "$image" "$space" || exit 1
	fi
	set -- "$@" -d "$(echo "$image" | sed 's/,/,,/g'),$(options_of "$mode"),serial=$mode"
done
dd if=/dev/urandom of="$images/overlay.img" bs=64k count=160 conv=notrunc 2>/dev/null
base=$(sha256sum <"$images/overlay.img")
root=$(sha256sum <"$images/root.ext4")
files=$(find "$images" -type f | wc -l)

vmm_run -k Image -i initrd -m 512 -c 2 -p "console=ttyAMA0 quiet root=/dev/vda size=$size rounds=$rounds" "$@"
expect 'fio verifies, fsck is clean' 0 'test: exit 0' 'cache: write through'

# What the driver has seen of each.
seen() {
	queues=1 discard=yes
	[ "$1" != queues ] || queues=2
	[ "$1" != kept ] || discard=no
	grep -qxF "disk: $1 queues $queues discard $discard zeroes yes cache write back" lines
}

same() {
	grep -qxF "image: $1 $(sha256sum <"$2")" lines
}

# Files of 37k * (1 + 2 + 3 + 4) * 8 stay, of 48M; what was discarded is a hole.
holes() {
	kib=$(du -k "$1" | cut -f 1)
	[ "$kib" -lt 16000 ] || { echo "$1 has $kib KiB"; return 1; }
}

tr -d '\r' <out >lines
for mode in $modes; do
	image=$(image_of "$mode")
	check "$mode: its features" 'are others' seen "$mode"
	[ "$mode" != overlay ] || continue
	check "$mode: the image is what the guest sees" differs same "$mode" "$image"
	[ "$mode" = kept ] || check "$mode: discarded space is given back" 'it is not' holes \
		"$(space_of "$mode")"
done
check 'the base of an overlay is untouched' changed test "$(sha256sum <"$images/overlay.img")" = "$base"
check 'the root under an overlay is untouched' changed test "$(sha256sum <"$images/root.ext4")" = "$root"
check 'an overlay leaves no file' 'there is more' test "$(find "$images" -type f | wc -l)" -eq "$files"

# --- where there is no io_uring ------------------------------------------------------------------
forbid() {
	echo 2 2>/dev/null >/proc/sys/kernel/io_uring_disabled
}
dry() {
	vmm_run -k Image --dry-run -d "$images/ring.img,aio=$1"
}
dry io_uring
expect 'io_uring is there' 0 '.*virtio-blk@.*'
if forbid; then
	dry io_uring
	tr -d '\r' <err >out
	expect 'io_uring is refused' 2 'vmm: disk .*ring.img: this kernel does not give io_uring .*use aio=auto or aio=threads'
	dry auto
	expect 'helpers instead of io_uring' 0 '.*virtio-blk@.*'
	echo 0 >/proc/sys/kernel/io_uring_disabled
fi

summary
