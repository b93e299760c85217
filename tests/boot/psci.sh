#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: PSCI and its neighbours as tiny guests see them, in every mode and version
# that this host has. Arguments: rounds of CPU_ON and CPU_OFF, then the groups of cases to run.

suite=psci
# shellcheck source=tests/lib.sh
. ./lib.sh
rounds=$1
shift
limit=60

vmm check >host || { fail host 'vmm check fails'; summary; exit 1; }
# host NAME: the value that `vmm check` gives, without what it means.
host() {
	sed -n "s/ (.*//; s/^$1: //p" host
}
kernel_max=$(host 'psci in the kernel')
user=
[ "$(host 'smccc filter')" = no ] || user=1

# The kernel's versions up to its maximum, and ours. KVM has no 1.2 before it has 1.3.
versions() {
	case $1-$kernel_max in
	user-*) [ -z "$user" ] || echo 0.2 1.0 1.1 1.2 1.3 ;;
	kernel-1.1) echo 0.2 1.0 1.1 ;;
	kernel-1.3) echo 0.2 1.0 1.1 1.2 1.3 ;;
	esac
}

# As PSCI_VERSION returns it.
number() {
	case $1 in
	0.2) echo 2 ;;
	1.*) echo "0x1000${1#1.}" ;;
	esac
}

# for_all FUNCTION: FUNCTION MODE VERSION for each that there is.
for_all() {
	for mode in user kernel; do
		for version in $(versions $mode); do
			"$1" $mode "$version"
		done
	done
}

# guest NAME MODE VERSION COUNT CPUS [ARGS]: runs NAME.bin, which reports COUNT results.
guest() {
	title="$1, $2 $3${6:+, $6}"
	vmm_run --nodefaults -k "$1.bin" -c "$5" --psci "$2" --psci-version "$3" \
		-p "mode=$2 version=$(number "$3") ${6-}"
	if [ "$(grep -ac '^ok' out)" -ne "$4" ] || grep -aq '^FAIL' out; then
		fail "$title" "$(grep -ac '^ok' out) results, not $4; status $status" out err
		return
	fi
	expect "$title" 0 'done'
}

# --- every function, good and bad ----------------------------------------------------------------
# Before Linux 6.4, which has the filter, KVM answers no SMC.
calls_of() {
	count=89 smc=1
	[ "$1" = user ] || count=69
	[ -n "$user" ] || smc=0
	guest psci "$1" "$2" $count 2 smc=$smc
}

calls() {
	for_all calls_of
	[ -z "$user" ] || guest psci user 1.3 89 2 'conduit=smc'
}

# --- CPUs on and off -----------------------------------------------------------------------------
cpus() {
	limit=600
	for mode in user kernel; do
		[ -z "$(versions $mode)" ] || guest psci_cpus $mode 1.0 7 4 "rounds=$rounds"
	done
	[ -z "$user" ] || guest psci_cpus user 1.3 7 4 "rounds=20 conduit=smc"
	guest psci_cpus kernel 0.2 7 4 "rounds=20"
	limit=60
}

# --- suspend -------------------------------------------------------------------------------------
suspend_of() {
	count=26
	[ "$1" = user ] || count=25
	[ "$2" != 0.2 ] || count=23
	guest psci_suspend "$1" "$2" $count 2
}

suspend() {
	for_all suspend_of
}

# --- the end of the machine ----------------------------------------------------------------------
# ends TITLE STATUS FN A B MODE VERSION: the call does not return.
ends() {
	vmm_run --nodefaults -k psci_call.bin --no-reboot --psci "$6" --psci-version "$7" \
		-p "fn=$3 a=$4 b=$5"
	if grep -aq '^returned' out; then
		fail "$1, $6 $7" "$(grep -a '^returned' out | head -n 1)" out err
	else
		expect "$1, $6 $7" "$2" calls
	fi
}

# What came with a version, and is the newest there.
end_of() {
	case $2 in
	0.2)
		ends off 0 0x84000008 0 0 "$1" "$2"
		ends reset 32 0x84000009 0 0 "$1" "$2"
		;;
	1.1)
		ends 'reset2, warm' 32 0x84000012 0 0 "$1" "$2"
		ends 'reset2, vendor' 32 0xc4000012 0x80000005 0x1234 "$1" "$2"
		;;
	1.3)
		ends 'off2, hibernate' 0 0x84000015 1 0 "$1" "$2"
		ends 'off2, zero' 0 0xc4000015 0 0 "$1" "$2"
		;;
	esac
}

end() {
	for_all end_of
}

# --- 0.1 -----------------------------------------------------------------------------------------
# It has no SYSTEM_OFF: two signals end the guest.
v0_1() {
	for mode in kernel $user; do
		mode=$(echo $mode | sed 's/^1$/user/')
		vmm_drive 'done*' 'signal TERM' '*power key*' 'signal TERM' -- --nodefaults \
			--loglevel info -k psci_0_1.bin -c 2 --psci "$mode" --psci-version 0.1 \
			-p "mode=$mode"
		if [ "$(grep -ac '^ok' out)" -ne 8 ] || grep -aq '^FAIL' out; then
			fail "psci_0_1, $mode" "$(grep -ac '^ok' out) results, not 8" out
		else
			expect "psci_0_1, $mode" 143 'done'
		fi
	done
}

# --- --inject and --trace ------------------------------------------------------------------------
# calling FN ARGS OPTION...: the results go to $returned.
calling() {
	fn=$1 args=$2
	shift 2
	vmm_run --nodefaults -k psci_call.bin -c 2 -p "fn=$fn $args" "$@"
	returned=$(sed -n 's/^returned \([-0-9]*\).*/\1/p' out | xargs)
}

# injected RESULTS FN ARGS RULE...
injected() {
	want=$1 fn=$2 args=$3
	shift 3
	title="--inject $*"
	options=
	for rule; do
		options="$options --inject $rule"
	done
	# shellcheck disable=SC2086
	calling "$fn" "$args" $options
	if [ "$returned" = "$want" ]; then
		expect "$title" 0 'done'
	else
		fail "$title" "returned $returned, not $want" out err
	fi
}

inject() {
	[ -n "$user" ] || return 0
	on=0xc4000003 info=0xc4000004
	injected '-4 -3 -4' $on 'a=self b=0x40080000 n=3' psci:CPU_ON=DENIED@2
	injected '0 0 0' $info 'a=self n=3' psci:AFFINITY_INFO=INTERNAL_FAILURE@cpu1
	injected '-6 -6 -6' $info 'a=self n=3 cpu=1' psci:AFFINITY_INFO=INTERNAL_FAILURE@cpu1
	injected '0 -6 -6 0' $info 'a=self n=4 cpu=1' psci:AFFINITY_INFO=-6@2-3,cpu1
	injected '-2 -2' 0x84000004 'a=self n=2' psci:affinity_info=invalid_parameters@every
	injected '-3 2 0' $info 'a=self n=3' psci:AFFINITY_INFO=DENIED@1 psci:AFFINITY_INFO=2@2
	injected '0 0' 0xc4000012 'a=0x80000001 n=2' psci:SYSTEM_RESET2=drop
	injected '0' 0x84000008 'n=1' psci:SYSTEM_OFF=drop@1
	injected '0 0' 0xc400000e 'a=0x40080000 n=2' psci:SYSTEM_SUSPEND=drop
	injected '-3 -3 0' 0x84000053 'a=32 n=3' trng:TRNG_RND=NO_ENTROPY@1-2
	injected '-1' 0x84000000 'n=1' psci:PSCI_VERSION=NOT_SUPPORTED
}

# traced TITLE PATTERN...: whole lines of err, behind the time.
traced() {
	title=$1
	shift
	for pattern; do
		if ! grep -aqxE -e "[0-9]+\.[0-9]{6} $pattern" err; then
			fail "$title" "no line is '$pattern'" err
			return
		fi
	done
	pass "$title"
}

trace() {
	[ -n "$user" ] || return 0
	calling 0xc4000012 'a=0x80000005 b=0x1234' --no-reboot --trace psci
	traced '--trace psci: reset2' 'cpu0 SYSTEM_RESET2 type=0x80000005 cookie=0x1234 -> system reset'
	calling 0xc4000004 'a=self cpu=1' --trace psci
	traced '--trace psci: calls of two CPUs' \
		'cpu0 CPU_ON target=0x1 entry=0x[0-9a-f]+ context=0x1 -> SUCCESS' \
		'cpu1 AFFINITY_INFO target=0x0 level=0x0 -> ON' 'cpu1 CPU_OFF -> cpu off' \
		'cpu0 SYSTEM_OFF -> system off'
	check '--trace psci: nothing else' "$(wc -l <err) lines, not 4" test "$(wc -l <err)" -eq 4
	calling 0x84000012 'a=1 conduit=smc' --trace psci
	traced '--trace psci: by SMC' \
		'cpu0 SYSTEM_RESET2 \(smc\) type=0x1 cookie=0x0 -> INVALID_PARAMETERS'
	calling 0x8400000a 'a=0xc4000003' --trace psci
	traced '--trace psci: features' 'cpu0 PSCI_FEATURES function=0xc4000003\(CPU_ON\) -> 0'
	calling 0x8400000a 'a=0xc4000003' --trace psci --psci-version 0.2
	traced '--trace psci: what the version lacks' 'cpu0 0x8400000a -> NOT_SUPPORTED'
	calling 0xc4000004 'a=self' --trace psci --inject psci:AFFINITY_INFO=DENIED
	traced '--trace psci: injected' \
		'cpu0 AFFINITY_INFO target=0x0 level=0x0 -> DENIED \(injected\)'
	calling 0x84000053 'a=32 n=2' --trace trng --inject trng:TRNG_RND=NO_ENTROPY@2
	traced '--trace trng' 'cpu0 TRNG_RND bits=0x20 -> SUCCESS.*' \
		'cpu0 TRNG_RND bits=0x20 -> NO_ENTROPY \(injected\)'
	check '--trace trng: no PSCI' 'other lines' test "$(wc -l <err)" -eq 2
	vmm_run --nodefaults -k psci_suspend.bin -c 2 -p 'mode=user version=0x10003' --trace psci
	traced '--trace psci: suspend' \
		'cpu0 CPU_SUSPEND power_state=0x0 entry=0x0 context=0x0 -> standby' \
		'cpu0 CPU_SUSPEND power_state=0x10000 entry=0x[0-9a-f]+ context=0x123456789abcdef0 -> powerdown' \
		'cpu0 SYSTEM_SUSPEND entry=0x[0-9a-f]+ context=0x0 -> DENIED' \
		'cpu0 SYSTEM_SUSPEND entry=0x[0-9a-f]+ context=0x123456789abcdef2 -> system suspend'
}

# --- what is chosen, and what is refused ---------------------------------------------------------
# says TITLE STATUS PATTERN OPTION...: one line of out or err.
says() {
	title=$1 want=$2 pattern=$3
	shift 3
	vmm_run --nodefaults -k psci_call.bin -c 2 "$@"
	if [ $status -ne "$want" ]; then
		fail "$title" "exit status $status, not $want" out err
	elif ! cat out err | grep -aqxE -e "$pattern"; then
		fail "$title" "no line is '$pattern'" out err
	else
		pass "$title"
	fi
}

refusals() {
	says 'kernel and --trace' 2 'vmm: --trace needs --psci user.*' --psci kernel --trace psci
	says 'kernel and --inject' 2 'vmm: --inject needs --psci user.*' --psci kernel \
		--inject psci:CPU_ON=DENIED
	says 'dry run, kernel' 0 '# psci: 1.0, in the kernel' --psci kernel --psci-version 1.0 --dry-run
	says 'dry run, kernel 0.1' 0 '# psci: 0.1, in the kernel' --psci kernel --psci-version 0.1 \
		--dry-run
	says "dry run, kernel's default" 0 "# psci: $kernel_max, in the kernel" --psci kernel --dry-run
	[ "$kernel_max" = 1.3 ] || says 'kernel, impossible version' 2 \
		"vmm: --psci-version 1.3: .* ends at $kernel_max; .*" --psci kernel --psci-version 1.3
	if [ -n "$user" ]; then
		says 'dry run, auto' 0 '# psci: 1.3, in userspace' --dry-run
		says 'dry run, user' 0 '# psci: 0.1, in userspace' --psci user --psci-version 0.1 --dry-run
		says 'inject: no such CPU' 2 'vmm: --inject psci:CPU_ON=DENIED@cpu2: .*cpu0 to cpu1' \
			--inject psci:CPU_ON=DENIED@cpu2
		return
	fi
	says 'dry run, auto' 0 "# psci: $kernel_max, in the kernel" --dry-run
	says 'auto tells it' 0 "vmm: this host's kernel does not forward firmware calls.*" \
		--loglevel info --dry-run
	says 'user' 2 "vmm: --psci user: this host's kernel does not forward.*" --psci user
	says '--trace' 2 "vmm: --trace needs --psci user, which this host's kernel cannot do.*" \
		--trace psci
	says '--inject' 2 "vmm: --inject needs --psci user, which this host's kernel cannot do.*" \
		--inject psci:CPU_ON=DENIED
	says 'auto, impossible version' 2 "vmm: --psci-version 1.3: .* ends at $kernel_max; .*" \
		--psci-version 1.3
}

# --- device trees, judged where there is a tool to read them --------------------------------------
dump_of() {
	vmm run --nodefaults -k psci_call.bin -c 2 --psci "$1" --psci-version "$2" --dry-run \
		--dump-dtb "dtbs/$1-$2" >/dev/null 2>>dtbs/log </dev/null
}

dtbs() {
	mkdir -p dtbs
	for_all dump_of
	dump_of kernel 0.1
	[ -z "$user" ] || dump_of user 0.1
}

# --- the registers of the kernel's services ------------------------------------------------------
registers() {
	./firmware_regs >out 2>err
	status=$?
	while IFS= read -r line; do
		case $line in
		ok*) pass "registers: ${line#ok }" ;;
		FAIL*) fail 'registers' "${line#FAIL }" err ;;
		esac
	done <out
	expect 'registers' 0 'done'
	vmm check --registers >shown
	sed -n 's/^listed \(.*\)/\1/p' out >listed
	check 'vmm check --registers' 'it shows others than KVM lists' cmp listed shown
}

for group; do
	$group
done
summary
