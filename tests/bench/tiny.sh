# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
# A VM that powers off at its first instruction: exec to exit.

once() {
	for who in ours qemu; do
		count $who -k off.bin
		# The first round warms the caches.
		[ $round -eq 1 ] || sample tiny $who "$cost"
	done
}

repeat 6 once
compare tiny instructions
quote tiny instructions 5600000
