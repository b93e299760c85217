# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
# Resident memory outside guest RAM, of a machine that has booted to a shell and idles.

# The meter: starts the command, waits for its shell, and leaves KiB in the file counted.
resident() {
	: >out
	"$@" <hold >out 2>err &
	pid=$!
	tries=0
	until grep -aq '^report: end' out || [ $tries -ge 600 ]; do
		usleep 50000
		tries=$((tries + 1))
	done
	sleep 1
	# A mapping of guest RAM's size is guest RAM.
	awk -v ram=$((machine_mem * 1024)) '
	$1 == "Size:" { size = $2 }
	$1 == "Rss:" && size < ram { rss += $2 }
	END { print rss + 0, rss ? 0 : 1 }' "/proc/$pid/smaps" >counted
	kill -9 $pid
	wait $pid 2>/dev/null
}

machine_mem=256
expected='^report: end'
mkfifo hold
exec 4<>hold
for who in ours qemu; do
	meter=resident
	$who -k Image -i initrd.gz -p 'console=ttyAMA0 quiet shell'
	judge $who shell
	sample rss $who "$cost"
done
compare rss KiB
quote rss KiB 1156
