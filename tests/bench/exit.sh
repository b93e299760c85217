# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
# An MMIO access that exits to userspace: against QEMU, and against what no VMM can go below, a
# loop of nothing but KVM_RUN. A character of a polling serial console is two of them.

accesses() {
	count "$who" -k exits.bin -p "op=$op n=$1"
}

floor() {
	counted ./kvmrun "$1" ${write:+write}
	judge kvmrun "$1"
}

once() {
	for who in ours qemu; do
		slope "$name" $who 2000 12000 accesses
	done
	[ "$op" = char ] || slope "$name" floor 2000 12000 floor
}

# char_exits WHO: to userspace, for 1024 characters, in $user.
char_exits() {
	for n in 20000 120000; do
		exits "$1" -k exits.bin -p "op=char n=$n"
		userspace_exits "$1"
	done >user
	user=$(awk '{ v[NR] = $1 } END { printf "%.1f", (v[2] - v[1]) * 1024 / 100000 }' user)
}

for op in read write char; do
	name="mmio $op" write=
	[ $op != write ] || write=1
	[ $op != char ] || name='serial character'
	repeat 3 once
	compare "$name" instructions
	[ $op = char ] || compare "$name" instructions ours floor 'empty KVM_RUN loop'
done
char_exits ours
ours=$user
char_exits qemu
printf 'result\tserial KB, exits to userspace\texits\t%s\t%s\t%s\tmeasured\n' "$ours" "$peer_name" "$user"
