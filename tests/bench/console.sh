# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
# A KB of output on hvc0, written at once: instructions and exits, from runs that differ in length.

expected='^test: exit 0'

lines() {
	count "$who" -k Image -i initrd-blk.gz --console virtio -p "console=hvc0 quiet kb=$1"
}

once() {
	for who in ours qemu; do
		slope 'hvc0, per KB' $who 100 600 lines
	done
}

# exits_of WHO: to userspace, a KB, in $user.
exits_of() {
	for kb in 100 600; do
		exits "$1" -k Image -i initrd-blk.gz --console virtio -p "console=hvc0 quiet kb=$kb"
		userspace_exits "$1"
	done >user
	user=$(awk '{ v[NR] = $1 } END { printf "%.2f", (v[2] - v[1]) / 500 }' user)
}

repeat 2 once
compare 'hvc0, per KB' instructions
# kvmtool's own virtio-mmio, taken before.
quote 'hvc0, per KB' instructions 126000
exits_of ours
ours=$user
exits_of qemu
printf 'result\thvc0, per KB, exits to userspace\texits\t%s\t%s\t%s\tmeasured\n' "$ours" "$peer_name" "$user"
