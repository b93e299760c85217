# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
# What a guest has written, round by round, as a move needs it: the bitmap that vmm reads, and KVM's
# dirty ring. `take` is how long the log takes, `write` how long the guest does meanwhile.

# once KIND MIB PAGES
once() {
	timeout 300 ./dirtylog "$1" "$2" "$3" >out 2>err
	echo "0 $?" >counted
	judge "$1" "$2 $3"
	read -r write take <out
	sample "$name, take" "$1" "$take"
	sample "$name, write" "$1" "$write"
}

for mib in 256 2048; do
	for n in 100 4000 32000; do
		name="dirty log, $mib MiB, $n pages"
		once bitmap $mib $n
		once ring $mib $n
		compare "$name, take" ns bitmap ring 'dirty ring'
		compare "$name, write" ns bitmap ring 'dirty ring'
	done
done
