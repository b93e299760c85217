#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: the parts of the benchmark that are named. What it says, fields between
# tabs:
#   result NAME UNIT OURS PEER VALUE [KIND]   KIND is `measured` or `quoted`
#   fail NAME WHY
# shellcheck shell=sh

set -u
tab=$(printf '\t')
peer_name=QEMU
# Debian's own package, its libraries where they would be if it were installed.
mkdir -p /peer /usr/lib
if mount -t ext4 -o ro /dev/vdb /peer; then
	ln -s /peer/lib/ld-linux-aarch64.so.1 /lib/
	ln -s /peer/lib /usr/lib/aarch64-linux-gnu
	PATH=$PATH:/peer/bin
	# No time limit while it comes from disk: this host's clock runs fast when it waits.
	cat /peer/bin/* /peer/lib/* >/dev/null
	peer_name="QEMU $(qemu-system-aarch64 --version | sed -n 's/.*version \([0-9.]*\).*/\1/p')"
fi

# --- machines ------------------------------------------------------------------------------------
# One option language for both: ours; qemu's are made of them. $machine_cpus and $machine_mem
# apply to both, $ours_options to us alone, $qemu_machine to the other.
ours() {
	# shellcheck disable=SC2086
	set -- vmm run --nodefaults -m "${machine_mem:-256}" -c "${machine_cpus:-1}" \
		${ours_options-} "$@"
	"$meter" "$@"
}

qemu() {
	kernel='' initrd='' params='' disk_words='' serial='-serial stdio'
	while [ $# -gt 1 ]; do
		case $1 in
		-k) kernel=$2 ;;
		-i) initrd=$2 ;;
		--console) serial='-device virtio-serial-device -chardev stdio,id=c -device virtconsole,chardev=c' ;;
		-p) params=$2 ;;
		-d) disk_words="-drive if=none,id=d,file=$2,format=raw -device virtio-blk-device,drive=d" ;;
		esac
		shift 2
	done
	# shellcheck disable=SC2086
	"$meter" qemu-system-aarch64 -accel kvm -machine "${qemu_machine:-virt,gic-version=3}" -cpu host \
		-m "${machine_mem:-256}" -smp "${machine_cpus:-1}" \
		-nodefaults -display none $serial -monitor none $disk_words \
		-kernel "$kernel" ${initrd:+-initrd "$initrd"} ${params:+-append "$params"}
}

# --- counts --------------------------------------------------------------------------------------
# The meter of a run whose cost does not matter.
plain() {
	timeout 20 "$@" </dev/null >out 2>err
	echo "0 $?" >counted
}

counted() {
	timeout 20 ./count -o out "$@" 2>err >counted
}

# count WHO OPTION...: one run; its instructions in $cost. A run that fails ends the part.
count() {
	who=$1
	shift
	meter=counted
	"$who" "$@"
	judge "$who" "$*"
}

judge() {
	cost=0 exit_status='no end'
	read -r cost exit_status <counted
	if [ "$exit_status" != 0 ] || { [ "${expected-}" ] && ! grep -aq -e "$expected" out; }; then
		printf 'fail\t%s\t%s %s: status %s: %s\n' "$part" "$1" "$2" "$exit_status" \
			"$(tail -n 2 err out | tr '\n\t' '  ')"
		exit 1
	fi
}

sample() {
	echo "$3" >>"samples.$1.$2"
}

median() {
	sort -n "samples.$1.$2" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# compare NAME UNIT [OURS PEER PEER_NAME]: the medians of two of NAME's series of samples.
compare() {
	printf 'result\t%s\t%s\t%s\t%s\t%s\tmeasured\n' "$1${6-}" "$2" \
		"$(median "$1" "${3:-ours}")" "${5:-$peer_name}" "$(median "$1" "${4:-qemu}")"
}

# quote NAME UNIT VALUE: against kvmtool's known figure.
quote() {
	printf 'result\t%s\t%s\t%s\tkvmtool\t%s\tquoted\n' "$1" "$2" "$(median "$1" ours)" "$3"
}

# repeat TIMES COMMAND...: $round counts.
repeat() {
	times=$1 round=1
	shift
	while [ $round -le "$times" ]; do
		"$@"
		round=$((round + 1))
	done
}

# slope NAME WHO N1 N2 COMMAND...: a sample of what one step costs, from runs with N1 and N2
# steps: COMMAND N leaves the cost of a run with N of them in $cost.
slope() {
	slope_name=$1 slope_who=$2 n1=$3 n2=$4
	shift 4
	"$@" "$n1"
	cost1=$cost
	"$@" "$n2"
	sample "$slope_name" "$slope_who" $(((cost - cost1) / (n2 - n1)))
}

# --- exits ---------------------------------------------------------------------------------------
events=/sys/kernel/tracing/events/kvm

# exits WHO OPTION...: an unmeasured run, and `NAME COUNT` lines in the file exits.WHO: exits from
# the guest by their syndrome, and those of them that go on to userspace.
exits() {
	who=$1
	shift
	echo 'hist:keys=ret,esr_ec' >$events/kvm_exit/trigger
	echo 'hist:keys=reason' >$events/kvm_userspace_exit/trigger
	meter=plain
	"$who" "$@"
	cat $events/kvm_exit/hist >hist
	cat $events/kvm_userspace_exit/hist >hist.user
	echo '!hist:keys=ret,esr_ec' >$events/kvm_exit/trigger
	echo '!hist:keys=reason' >$events/kvm_userspace_exit/trigger
	judge "$who" "$*"
	awk '
	function value(name, text) {
		text = $0
		sub(".*" name ": *", "", text)
		return text + 0
	}
	BEGIN {
		kind[1] = "wfi"; kind[22] = "hvc"; kind[24] = "sysreg"
		kind[32] = kind[36] = "memory or mmio"; kind[25] = "sve"; kind[7] = "fp"
		user[2] = "exception"; user[3] = "hypercall"; user[6] = "mmio"; user[10] = "signal"
		user[24] = "system event"
	}
	/^[{] ret:/ {
		name = value("esr_ec") in kind ? kind[value("esr_ec")] : "other"
		if (value("ret") != 2) name = "interrupt"
		n[name] += value("hitcount"); all += value("hitcount")
	}
	/^[{] reason:/ {
		name = "user " (value("reason") in user ? user[value("reason")] : "other")
		n[name] += value("hitcount"); up += value("hitcount")
	}
	END {
		print "all\t" all + 0; print "to userspace\t" up + 0
		for (name in n) print name "\t" n[name]
	}' hist hist.user >"exits.$who"
}

# userspace_exits WHO: of them, what exits() left.
userspace_exits() {
	awk -F '\t' '$1 == "to userspace" { print $2 }' "exits.$1"
}

# compare_exits NAME: what exits() left of ours and qemu.
compare_exits() {
	awk -F '\t' -v part="$1" -v peer="$peer_name" '
	FNR == NR { ours[$1] = $2; names[$1] = 1; next }
	{ qemu[$1] = $2; names[$1] = 1 }
	END {
		for (name in names)
			printf "result\t%s exits, %s\texits\t%d\t%s\t%d\tmeasured\n", part, name,
				ours[name], peer, qemu[name]
	}' exits.ours exits.qemu | sort
}

# --- the parts -----------------------------------------------------------------------------------
# Entropy first: without it each system call is 9,000 instructions dearer; and the first seconds
# after boot are slow.
head -c 1 /dev/random >/dev/null
sleep 5
status=0
for part; do
	# shellcheck source=/dev/null
	(. "./$part.sh") || status=1
done
exit $status
