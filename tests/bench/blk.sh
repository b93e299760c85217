# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
# What a disk costs: instructions an operation, as the guest's own clock counts them (it is the host's), and
# exits to userspace, as the difference of two runs. The image is in memory.

disk=/dev/shm/disk.img
dd if=/dev/urandom of=$disk bs=1M count=32 2>/dev/null

loads='read:1:1000 write:1:1000 read:32:1600 write:32:1600 seqread:1:30 seqwrite:1:30 flush:1:600'
expected='^test: exit 0'

guest() {
	words='console=ttyAMA0 quiet'
	for load in $1; do
		words="$words load=$load"
	done
	shift
	"$@" -k Image -i initrd-blk.gz -d $disk -p "$words"
}

take() {
	tr -d '\r' <out | sed -n 's/^load: //p' >loads
	while read -r op depth ns; do
		sample "blk $op $depth" "$1" "$ns"
	done <loads
}

measure() {
	guest "$loads" count ours
	take ours
	ours_options='--mmio-pages lazy'
	guest "$loads" count ours
	take lazy
	ours_options=
	guest "$loads" count qemu
	take qemu
}

# exits_of WHO LOAD: exits to userspace a load, in hundredths, and all, in $user and $all.
exits_of() {
	guest "$2:40" exits "$1"
	first=$(userspace_exits "$1")
	guest "$2:1240" exits "$1"
	second=$(userspace_exits "$1")
	# A quarter more, for warming up.
	user=$(awk "BEGIN { printf \"%.2f\", ($second - $first) / 1500 }")
}

compare_exits_of() {
	exits_of qemu "$1"
	theirs=$user
	for mode in exact lazy off; do
		ours_options="--mmio-pages $mode"
		exits_of ours "$1"
		printf 'result\tblk %s, exits to userspace, %s\texits\t%s\t%s\t%s\tmeasured\n' "$1" \
			$mode "$user" "$peer_name" "$theirs"
	done
}

measure
for load in $loads; do
	name="blk $(echo "$load" | cut -d : -f 1,2 | tr : ' ')"
	compare "$name" instructions
	compare "$name" instructions lazy qemu "$peer_name" ', lazy'
done
# kvmtool's own virtio-mmio, taken before.
quote 'blk read 1' instructions 60600
quote 'blk write 1' instructions 61400
quote 'blk seqread 1' instructions 760000
quote 'blk seqwrite 1' instructions 2710000
quote 'blk flush 1' instructions 63000
compare_exits_of read:1
