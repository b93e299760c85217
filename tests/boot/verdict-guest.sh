#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the Linux guest as /test. The kernel's command line has end=NAME: how it ends.

# shellcheck disable=SC2013
for word in $(cat /proc/cmdline); do
	case $word in
	end=*) end=${word#end=} ;;
	esac
done
echo "end: $end"
case $end in
panic) echo c >/proc/sysrq-trigger ;;
bug) echo "BUG: made up" >/dev/kmsg ;;
# Every timer stops, and nothing is set to wake it.
hang) echo mem >/sys/power/state ;;
late) sleep 1000 ;;
reboot) reboot -f ;;
login)
	printf 'box login: ' >/dev/console
	read -r name </dev/console
	echo "welcome $name" >/dev/console
	;;
esac
