#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: a Debian guest, case by case. Arguments: the groups of cases to run.

suite=t2
# shellcheck source=tests/lib.sh
. ./lib.sh
limit=90

# linux TEST OPTION...: boots the guest with t2=TEST.
linux() {
	t2=$1
	shift
	vmm_run -k Image -i initrd -m 256 -p "console=ttyAMA0 quiet t2=$t2" "$@"
}

boot() {
	for cpus in 1 2 4; do
		vmm_run -k Image -i initrd.gz -m 256 -p console=ttyAMA0 -c $cpus
		expect "boot with $cpus CPUs" 0 "report: cpus: $cpus" 'report: kernel: .*' 'report: end'
	done
	linux rng
	expect hwrng 0 'rng: virtio_rng.0' 'test: exit 0'
}

disk() {
	linux disk -d a.ext4 -d b.ext4 -d c.raw,ro
	tr -d '\r' <out >disk.out
	expect 'disk written' 0 'packed: 1' 'test: exit 0' "vdc: $(head -c 512 c.raw | sha256sum)"
	sed -n 's/^sum: \(.*\/a\/.*\)/\1/p' disk.out >sums
	sed -n 's/^again: //p' disk.out >again
	check 'disk read again' 'the guest read something else' cmp sums again
}

# Registers read without an exit, acknowledged so too, and trapped.
pages() {
	for row in exact:100 lazy:30 off:30; do
		mode=${row%:*} times=${row#*:}
		head -c 8388608 /dev/zero >pages.raw
		linux pages-$times -d pages.raw --mmio-pages $mode
		expect "mmio pages $mode" 0 "rebound: $times" 'test: exit 0' \
			"vda: $(head -c 4194304 pages.raw | sha256sum)"
	done
}

# Messages where the controller takes them, else pins.
pci() {
	limit=180
	rows='gicv2m:MSI gicv2:Level'
	! grep -q GICv3 /proc/interrupts || rows='gicv3-its:ITS gicv3:Level'
	for row in $rows; do
		kind=${row%:*}
		head -c 8388608 /dev/zero >pci.raw
		linux pci -c 2 -d pci.raw --virtio-transport pci --irqchip "$kind"
		expect "pci, $kind" 0 "irq: .*${row#*:}.* virtio0.*" 'enough: 1' 'functions: 2' \
			'moved to 1: 1' 'moved to 0: 1' 'test: exit 0' \
			"vda: $(head -c 4194304 pci.raw | sha256sum)"
	done
	# Saved while the disk is in use, with messages on their way.
	head -c 8388608 /dev/zero >pci.raw
	vmm_drive '*irq: *' 'run vmm save box snap >saved 2>&1' -- --name box \
		-k Image -i initrd -m 256 -c 2 -d pci.raw --virtio-transport pci \
		-p 'console=ttyAMA0 quiet t2=pci'
	expect 'pci, saved' 36
	timeout "$limit" vmm restore snap </dev/null >out 2>err
	status=$?
	expect 'pci, restored' 0 'enough: 1' 'moved to 1: 1' 'moved to 0: 1' 'test: exit 0' \
		"vda: $(head -c 4194304 pci.raw | sha256sum)"
	limit=90
}

# The userspace ITS under disk and network, with every command traced; saved and restored, too.
its() {
	limit=180
	grep -q GICv3 /proc/interrupts || return 0
	modprobe tun
	tunctl -t tap0 >/dev/null && ip addr add 10.9.0.1/24 dev tap0 && ip link set tap0 up
	for cpus in 2 4; do
		head -c 8388608 /dev/zero >its.raw
		linux its -c $cpus -d its.raw -n mode=tap,tapif=tap0 --virtio-transport pci \
			--irqchip gicv3-its --its user --trace its
		expect "its user, $cpus CPUs" 0 'irq: .*ITS.* virtio0.*' 'enough: 1' 'functions: 3' \
			'moved to 1: 1' 'moved to 0: 1' "cpus: $cpus, enough: 1" \
			'ping: 20 packets transmitted, 20 packets received, 0% packet loss' \
			'test: exit 0' "vda: $(head -c 4194304 its.raw | sha256sum)"
		check "its user, $cpus CPUs, MOVI" 'it is not in the trace' \
			grep -qE '^[0-9.]+ its MOVI device=0x[0-9a-f]+ event=[0-9]+ collection=[01] -> OK$' err
		check "its user, $cpus CPUs, no errors" "$(grep -m 1 -e '-> E_ITS' err)" \
			sh -c "! grep -q -e '-> E_ITS' err"
	done
	tunctl -d tap0 >/dev/null
	head -c 8388608 /dev/zero >its.raw
	vmm_drive '*irq: *' 'run vmm debug box its >debug.out; vmm save box snap >saved 2>&1' -- \
		--name box -k Image -i initrd -m 256 -c 2 -d its.raw --virtio-transport pci \
		--irqchip gicv3-its --its user -p 'console=ttyAMA0 quiet t2=pci'
	expect 'its user, saved' 36
	check 'its user, debug' "$(cat debug.out)" \
		grep -qE 'event 0: LPI [0-9]+, collection [01]' debug.out
	timeout "$limit" vmm restore snap </dev/null >out 2>err
	status=$?
	expect 'its user, restored' 0 'moved to 1: 1' 'moved to 0: 1' 'test: exit 0' \
		"vda: $(head -c 4194304 its.raw | sha256sum)"
	limit=90
}

# A tap, and what a guest fetches over it.
net_begin() {
	modprobe tun
	tunctl -t tap0 >/dev/null && ip addr add 10.9.0.1/24 dev tap0 && ip link set tap0 up
	serve 4194304
}

net_end() {
	served
	check "$1" 'what came back differs' cmp sent returned
	tunctl -d tap0 >/dev/null
}

net() {
	net_begin
	linux net -n mode=tap,tapif=tap0
	expect 'ping' 0 'ping: 20 packets transmitted, 20 packets received, 0% packet loss'
	expect 'tcp to the guest' 0 "received: $sum" 'test: exit 0'
	net_end 'tcp to the host'
}

# An interrupt controller under everything that interrupts: `irqchip KIND TRANSPORT:CPUS...`; KIND
# may be followed by further options.
irqchip() {
	kind=$1
	shift
	limit=300
	for row; do
		transport=${row%:*} cpus=${row#*:} through=GIC-0
		[ "${kind#gicv3}" = "$kind" ] || through=GICv3
		[ "$transport" = mmio ] || through=MSI
		name="$kind, $transport, $cpus CPUs"
		head -c 8388608 /dev/zero >pci.raw
		net_begin
		# shellcheck disable=SC2086
		linux irqchip -c "$cpus" -d pci.raw -n mode=tap,tapif=tap0 \
			--virtio-transport "$transport" --irqchip $kind
		expect "$name, disk" 0 "irq: .*$through.* virtio0.*" 'enough: 1' 'moved to 1: 1' \
			'moved to 0: 1' "vda: $(head -c 4194304 pci.raw | sha256sum)"
		expect "$name, network" 0 "received: $sum" 'net: 1' \
			'ping: 20 packets transmitted, 20 packets received, 0% packet loss'
		expect "$name, between CPUs" 0 'round: 200' 'ipis: 1' 'test: exit 0'
		net_end "$name, network to the host"
	done
	limit=90
}

# All that the host can do.
irqchips() {
	if grep -q GICv3 /proc/interrupts; then
		irqchip gicv3-its mmio:2 pci:2 pci:4
		irqchip 'gicv3-its --its user' pci:2 pci:4
	else
		irqchip gicv2 mmio:2 mmio:4
		irqchip gicv2m pci:2 pci:4
	fi
	irqchip gicv2-user mmio:2 mmio:4 pci:2 pci:4
}

gicv2_quick() {
	irqchip gicv2-user pci:2
}

console() {
	for tty in ttyAMA0 hvc0; do
		kind=serial
		[ $tty = ttyAMA0 ] || kind=virtio
		vmm_drive '*ready on*' 'send Hello, %%s world\n' '*typed: Hello*' 'send off\n' -- \
			-k Image -i initrd -m 256 --console $kind -p "console=$tty quiet t2=talk-$tty"
		expect "$tty both ways" 0 'typed: Hello, %s world' 'typed: off' 'test: exit 0'
	done
}

# Each port's bytes go to the guest and back, while the other side sends and takes at once.
ports() {
	bytes=$port_bytes
	head -c "$bytes" /dev/urandom >sent
	sum=$(md5sum <sent)
	back=$({ echo begin; cat sent; } | md5sum)
	all=$((bytes + 6))
	: >marks
	for name in sock tty; do
		mkfifo "from.$name"
		md5sum <"from.$name" >"sum.$name" &
	done
	vmm_drive '*ready: sock*' 'run ./portio sock "$all" <sent >from.sock 2>>marks &' \
		'*ready: tty*' 'run ./portio tty "$all" <sent >from.tty 2>>marks &' -- \
		-k Image -i initrd -m 256 -p "console=ttyAMA0 quiet t2=ports bytes=$bytes" \
		--port name=log,file=log --port name=sock,socket=sock --port name=tty,pty=tty \
		--port name=second,file=second,console
	wait
	cat marks >>out
	expect 'ports, to the guest' 0 'ports: log second sock tty ' "sum: sock $sum" "sum: tty $sum" \
		'test: exit 0'
	for name in sock tty; do
		check "ports, from the guest: $name" 'what came back differs' \
			[ "$(cat "sum.$name")" = "$back" ]
	done
	check 'ports, file' 'the text is not in it' [ "$(cat log)" = 'hello from the guest' ]
	check 'ports, second console' 'the text is not in it' grep -q 'on the second console' second
	check 'ports, nothing left' 'socket or link is there' [ ! -e sock -a ! -L tty ]
}

# rss: the MiB of vmm that are in the host's memory.
rss() {
	awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$(pidof vmm)/status"
}

# rss_below MIB: waits until it is; the limit of the run ends it otherwise.
rss_below() {
	while now=$(rss) && [ "$now" -ge "$1" ]; do usleep 100000; done
	echo "rss: below $1 MiB" >>marks
}

balloon() {
	linux balloon_oom -m 256 --balloon 96
	expect 'balloon deflates on OOM' 0 'balloon: 160 MiB, free 1' 'then: 1, 120.*' 'test: exit 0'
	: >marks
	# shellcheck disable=SC2016
	vmm_drive '*filled*' 'run echo "rss: filled $(($(rss) >= 180))" >>marks; printf "go\n" >&4' \
		'*emptied*' 'run rss_below 110; printf "go\n" >&4' -- \
		-k Image -i initrd -m 256 --balloon 256 -p "console=ttyAMA0 quiet t2=balloon_report"
	cat marks >>out
	expect 'free pages reported' 0 'rss: filled 1' 'rss: below 110 MiB' 'test: exit 0'
}

# Memory taken and given back, and a disk that grows, while the guest runs.
live() {
	head -c 4194304 /dev/zero >live.raw
	: >marks
	# shellcheck disable=SC2016
	vmm_drive '*before: *' 'run vmm balloon box 128M' \
		'*inflated: *' 'run vmm balloon box --stats >>marks; vmm balloon box 256M' \
		'*deflated: *' 'run vmm resize box vda 8M' -- --name box \
		-k Image -i initrd -m 256 --balloon 256 -d live.raw -p "console=ttyAMA0 quiet t2=live"
	cat marks >>out
	expect 'balloon down' 0 'before: 0 MiB, 8192 sectors' 'inflated: .*: 1' 'target: 134217728' \
		'test: exit 0'
	expect 'balloon up' 0 'deflated: .*: 1'
	expect 'a disk grows' 0 'grown: 16384 sectors' "end: $(tail -c 4194304 live.raw | sha256sum)"
}

ends() {
	vmm_drive '*ready on*' 'send reboot\n' '*ready on*' 'send off\n' -- \
		-k Image -i initrd -m 256 -p "console=ttyAMA0 quiet t2=talk-ttyAMA0"
	expect 'reboot in place' 0 'typed: reboot' 'typed: off' 'test: exit 0'
	vmm_drive '*ready on*' 'send reboot\n' -- \
		-k Image -i initrd -m 256 -p "console=ttyAMA0 quiet t2=talk-ttyAMA0" --no-reboot
	expect 'reboot with --no-reboot' 32 'typed: reboot'
	vmm_drive '*ready for the key*' 'signal TERM' -- \
		-k Image -i initrd -m 256 -p "console=ttyAMA0 quiet t2=power" --grace 60
	expect 'power key' 0 'key: +1 116 1' 'test: exit 0'
	vmm_drive '*ready for the key*' 'run vmm pause box; vmm stop box' -- --name box \
		-k Image -i initrd -m 256 -p "console=ttyAMA0 quiet t2=power" --grace 60
	expect 'power key by vmm stop' 0 'key: +1 116 1' 'test: exit 0'
}

for group; do
	$group
done
summary
