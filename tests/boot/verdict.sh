#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: `vmm test`, its exit codes, text and reports. Arguments: the groups to run.

suite=verdict
# shellcheck source=tests/lib.sh
. ./lib.sh
mkdir reports

# run OPTION...: as vmm_run.
run() {
	timeout "${limit:-60}" vmm test "$@" </dev/null >out 2>err
	status=$?
}

# tiny NAME STATUS END [PATTERN]... [-- OPTION...]: a tiny guest that ends so.
tiny() {
	name=$1 wanted=$2 end=$3
	shift 3
	patterns=
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		patterns="$patterns${patterns:+
}$1"
		shift
	done
	[ $# -eq 0 ] || shift
	run --nodefaults -m 64 -k verdict.bin -p "end=$end" "$@"
	(IFS='
'
		set -f
		# shellcheck disable=SC2086
		expect "$name" "$wanted" $patterns) >result
	cat result
	if grep -q '^ok' result; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

tiny_guests() {
	any='.*'
	tiny 'passed by power-off' 0 off 'PASS test: passed .*'
	tiny 'passed by a line' 0 spin 'PASS test: passed .*' ' +[0-9.]+ s  \^hello' -- --expect '^hello'
	tiny 'passed by answers' 0 login ' +[0-9.]+ s  welcome root' ' +[0-9.]+ s  ls: done' -- \
		--send 'root\n@login: $' --send 'ls\n@^\$ $' --expect 'welcome root' --expect 'ls: done'
	tiny 'rejected' 1 oops "FAIL test: a line that is rejected came: .*Oops.*" \
		' +still here' ' +pc: 0x4.*' -- --expect never
	tiny 'rejected by the user' 1 spin 'FAIL .*: hello .*' -- --reject '^hel+o$' --expect never
	tiny 'an Oops that becomes a panic' 34 'oops more=1' 'FAIL test: the guest panicked: .*' \
		' +rejected \(Oops\): .*' ' +\[    0.1\] Call trace:'
	tiny 'ended' 7 off 'FAIL test: the guest powered off before .*' ' +never +login' \
		' +vCPU 0: pc .*' -- --expect hello --expect login
	tiny 'refused' 2 off 'FAIL .* refused: .*nowhere.*' -- -k nowhere
	tiny 'reset' 32 reset 'FAIL test: the guest reset .*' ' +vCPU 0: pc .*' -- --no-reboot
	tiny 'resets for ever' 124 reset 'FAIL .* did not come in time .*' -- --expect x --timeout 2s
	tiny 'crash' 33 lost 'FAIL test: the virtual machine crashed .*' ' +vCPU 0: pc .*' \
		' +vmm: error: .* where nothing is: stopped .*' -- --unmapped stop
	tiny 'panic' 34 panic 'FAIL test: the guest panicked: .*' ' +\[    0.1\] Call trace:' -- \
		--expect never
	tiny 'stall, waiting' 35 wait 'FAIL .* no timer will wake one: vCPU 0 waits, vCPU 1 is off .*' \
		-- --idle-timeout 1s -c 2
	tiny 'stall, waiting for a timer beyond the end' 35 late 'FAIL .* no timer will .*' -- \
		--idle-timeout 1s
	tiny 'stall, spinning' 35 spin 'FAIL .* spin .*: vCPU 0 spins .*' ' +stack: 0x4.*' -- \
		--idle-timeout 1s
	tiny 'stall, spinning, kernel PSCI' 35 spin 'FAIL .*: vCPU 0 spins, vCPU 1 is off .*' -- \
		--idle-timeout 1s -c 2 --psci kernel
	tiny 'stall, polling a register' 35 poll 'FAIL .* spin .*' -- --idle-timeout 1s
	tiny 'stall, one waits and one spins' 35 'wait cpus=1' \
		'FAIL .* spin .*: vCPU 0 waits, vCPU 1 spins .*' -- --idle-timeout 1s -c 2
	tiny 'no stall while timers are due' 0 'sleep ms=2500' 'PASS .*' -- --idle-timeout 1s
	tiny 'timeout' 124 talk 'FAIL .* did not come in time .*' ' +line [0-9]+' -- --expect x \
		--timeout 1s
	tiny 'retries' 34 panic 'FAIL .*, 3 attempts\)' -- --retries 2
	tiny 'repeat' 0 off 'PASS test: .*' 'PASS test.3: .*' '3 passed, 0 failed .*' -- --repeat 3 \
		--report text --report tap=reports/repeat.tap --report junit=reports/repeat.xml \
		--report json=reports/repeat.json
	tiny 'log' 0 off -- --log '%n.log'
	check 'lines of the log' "$(cat test.log)" grep -qxE '\[ +[0-9]+\.[0-9]{6}\] hello' test.log

	timeout 60 sh -c 'echo $$ >pid; exec vmm test --nodefaults -m 64 -k verdict.bin -p end=spin \
		--name box --expect never' >out 2>err </dev/null &
	until vmm list | grep -q '^box .*running'; do usleep 20000; done
	vmm debug box >debug
	vmm debug box cpus >cpus
	vmm debug box gic >gic-debug
	vmm debug box nothing >nothing 2>&1
	check 'debug of an unknown section' "$(cat nothing)" grep -q "has no section 'nothing'" nothing
	check 'debug' "$(cat debug)" grep -qE '^ +pc: 0x4008[0-9a-f]+' debug
	check 'debug of one section' "$(cat cpus)" test "$(head -n 1 cpus)" = cpus:
	check 'debug of the interrupt controller' "$(cat gic-debug)" grep -q 'gicd.ctlr: 0x' gic-debug
	machine=$(vmm list | awk '$1 == "box" { print $2 }')
	kill -s INT "$(cat pid)"
	wait $!
	status=$?
	expect 'interrupted' 130 'FAIL box: not run'
	check 'its machine is gone' "$(ps)" test ! -d "/proc/$machine"
}

linux_guests() {
	limit=400
	run --plan plan --jobs 2 --report text --report tap=reports/plan.tap \
		--report junit=reports/plan.xml --report json=reports/plan.json
	expect 'plan of 8 boots on 2 jobs' 1 '2 passed, 6 failed .*'
	# Each test's line of the report.
	while read -r name code rest; do
		line=$(tr -d '\r' <out | grep -E "^(PASS|FAIL) $name: ")
		if [ "$code" -eq 0 ]; then wanted="^PASS $name: $rest"; else
			wanted="^FAIL $name: $rest.*exit code $code\\)\$"; fi
		check "plan: $name" "$line" sh -c 'echo "$1" | grep -qE "$2"' - "$line" "$wanted"
	done <<-'END'
		good 0 passed
		login 0 passed
		panic 34 the guest panicked: .*sysrq triggered crash
		bug 1 a line that is rejected came: .*BUG: made up
		hang 35 the guest stalled: every CPU waits
		late 124 what was expected did not come in time
		reboots 32 the guest reset
		noroot 34 the guest panicked: .*Unable to mount root fs
	END
	check 'hangs in its sleep' "$(tail -n 3 hang.log)" grep -q 'PM: suspend entry' hang.log
}

for group; do
	case $group in
	tiny) tiny_guests ;;
	linux) linux_guests ;;
	esac
done
summary
