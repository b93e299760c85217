#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the Linux guest as /test: what PSCI serves. The kernel's command line has test=NAME,...
# and rounds=N.

# The value of NAME=value on the kernel's command line.
param() {
	tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p" | tail -n 1
}

cpu() {
	echo "$2" 2>/dev/null >"/sys/devices/system/cpu/cpu$1/online" &&
		[ "$(cat "/sys/devices/system/cpu/cpu$1/online")" = "$2" ]
}

online() {
	grep -c '^processor' /proc/cpuinfo
}

version() {
	dmesg | sed -n 's/.*\] psci: /psci: /p'
	echo "cpus: $(online)"
}

# The performance monitor, if there is one.
pmu() {
	dmesg | sed -n 's/.*\] hw perfevents: /pmu: /p'
}

hotplug() {
	failed=0
	for round in $(seq "$(param rounds)"); do
		for cpu in 1 2 3; do
			cpu $cpu 0 || failed=$((failed + 1))
		done
		[ "$(online)" -eq 1 ] || failed=$((failed + 1))
		for cpu in 1 2 3; do
			cpu $cpu 1 || failed=$((failed + 1))
		done
	done
	echo "hotplug: $round rounds, $failed failed, cpus $(online)"
}

now() {
	cat /sys/class/rtc/rtc0/since_epoch
}

# sleeps STATE: asleep until the RTC's alarm. One that comes before Linux is asleep makes it give
# up, as wakeup_count was written; the next is later.
sleeps() {
	before=$(cat /sys/power/suspend_stats/success)
	for ahead in 2 10 60; do
		cat /sys/power/wakeup_count >/sys/power/wakeup_count
		alarm=$(($(now) + ahead))
		echo 0 >/sys/class/rtc/rtc0/wakealarm
		echo $alarm >/sys/class/rtc/rtc0/wakealarm
		! echo "$1" >/sys/power/state || break
	done
	times=$(($(cat /sys/power/suspend_stats/success) - before))
	[ "$(now)" -ge $alarm ] && until='until the alarm' || until='not until the alarm'
	echo "sleep: $1, $times times, $until, cpus $(online)"
}

freeze() {
	sleeps freeze
}

# The firmware's: without it, Linux offers suspend to idle under this name.
mem() {
	echo "mem_sleep: $(cat /sys/power/mem_sleep)"
	sleeps mem
}

# Answers what is typed.
talk() {
	echo 'ready' >/dev/console
	while IFS= read -r word; do
		echo "typed: $word" >/dev/console
		case $word in
		off) return 0 ;;
		reboot) reboot -f ;;
		esac
	done </dev/console
}

# The kernel's messages would stand in the middle of our lines.
dmesg -n 1
for name in $(param test | tr , ' '); do
	$name
done
