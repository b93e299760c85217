#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the Linux guest as /test, with a root image that has fio at /newroot. All disks but the
# first are tested, and named by their serial numbers. The kernel's command line: size=, what fio
# writes to each; rounds=, how often.
# shellcheck disable=SC2013

size=8M rounds=1
for word in $(cat /proc/cmdline); do
	case $word in
	size=*) size=${word#size=} ;;
	rounds=*) rounds=${word#rounds=} ;;
	esac
done

root=/newroot
mount -t devtmpfs dev $root/dev
mount -t proc proc $root/proc
mount -t sysfs sys $root/sys
mount -t tmpfs tmp $root/tmp

name_of() {
	cat "/sys/block/$1/serial"
}

limit() {
	cat "/sys/block/$1/queue/$2"
}

# All at once, queue depth 16, every block size; what was written is read and compared.
verify() {
	set -- --output-format=terse --terse-version=3 --thread --direct=1 --ioengine=libaio \
		--iodepth=16 --rw=randwrite --bsrange=512-32k --bs_unaligned=0 --blockalign=512 \
		--verify=crc32c --verify_fatal=1 --do_verify=1 --randrepeat=0 --norandommap=0 \
		--size="$size"
	for disk in $disks; do
		set -- "$@" "--name=$disk" "--filename=/dev/$disk"
	done
	chroot $root /usr/bin/fio "$@" >/tmp/fio 2>&1 && return
	cat /tmp/fio
	return 1
}

# A file system with files, some of which go again; read again past every cache of the guest.
files() {
	chroot $root /sbin/mke2fs -q -F -t ext4 "/dev/$1" || return 1
	mkdir -p "/mnt/$1"
	mount -t ext4 "/dev/$1" "/mnt/$1" || return 1
	for i in 1 2 3 4 5 6; do
		dd if=/dev/urandom of="/mnt/$1/file$i" bs=37k count=$((i * 8)) 2>/dev/null || return 1
	done
	sync
	rm "/mnt/$1/file5" "/mnt/$1/file6"
	[ "$(limit "$1" discard_max_bytes)" = 0 ] || fstrim "/mnt/$1" || return 1
	(cd "/mnt/$1" && sha256sum file*) >"/tmp/sums.$1"
	umount "/mnt/$1"
	echo 3 >/proc/sys/vm/drop_caches
	chroot $root /sbin/e2fsck -fn "/dev/$1" >"/tmp/fsck.$1" 2>&1 || return 1
	mount -t ext4 -o ro "/dev/$1" "/mnt/$1" || return 1
	(cd "/mnt/$1" && sha256sum -c -s "/tmp/sums.$1") || return 1
	umount "/mnt/$1"
}

# The limits are seen once per disk, so that the host can compare.
describe() {
	echo "disk: $(name_of "$1") queues $(find "/sys/block/$1/mq" -mindepth 1 -maxdepth 1 | wc -l)" \
		"discard $([ "$(limit "$1" discard_max_bytes)" = 0 ] && echo no || echo yes)" \
		"zeroes $([ "$(limit "$1" write_zeroes_max_bytes)" = 0 ] && echo no || echo yes)" \
		"cache $(limit "$1" write_cache)"
}

disks=$(cd /sys/block && echo vd[b-z])
for disk in $disks; do
	describe "$disk"
done
round=1
while [ "$round" -le "$rounds" ]; do
	verify || exit 1
	for disk in $disks; do
		[ "$(limit "$disk" discard_max_bytes)" = 0 ] || blkdiscard "/dev/$disk" || exit 1
		files "$disk" || { echo "files: $(name_of "$disk")"; cat "/tmp/fsck.$disk"; exit 1; }
	done
	round=$((round + 1))
done
# The driver may turn the cache off.
echo 'write through' >/sys/block/vdb/cache_type
echo "cache: $(cat /sys/block/vdb/cache_type)"
dd if=/dev/urandom of=/dev/vdb bs=4k count=16 conv=fsync 2>/dev/null
for disk in $disks; do
	echo "image: $(name_of "$disk") $(sha256sum <"/dev/$disk")"
done
