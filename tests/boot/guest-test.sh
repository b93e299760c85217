#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the Linux guest as /test. The kernel's command line has t2=NAME, the test to do; its
# exit status is the guest's verdict.

# Answers what is typed; `off` ends it, `reboot` restarts the machine.
talk() {
	console=/dev/$1
	echo "ready on $1" >"$console"
	while IFS= read -r word; do
		echo "typed: $word" >"$console"
		case $word in
		off) return 0 ;;
		reboot) reboot -f ;;
		esac
	done <"$console"
}

# A file system is written, and the checksums go to the console. The second disk is only synced.
disk() {
	packed /sys/block/vda
	mkdir -p /a /b
	mount -t ext4 /dev/vda /a && mount -t ext4 /dev/vdb /b || return 1
	for i in 1 2 3 4 5 6 7 8; do
		dd if=/dev/urandom of="/a/file$i" bs=64k count=$((i * 2)) 2>/dev/null || return 1
		mkdir "/b/dir$i"
		cp "/a/file$i" "/b/dir$i/file$i" || return 1
	done
	# Every size around a page and a sector.
	for i in 1 511 512 513 4095 4096 4097; do
		head -c "$i" /dev/urandom >"/a/size$i"
	done
	for file in /a/file* /a/size* /b/dir*/file*; do
		echo "sum: $(sha256sum "$file")"
	done
	sync
	umount /a || return 1
	echo 3 >/proc/sys/vm/drop_caches
	mount -o ro /dev/vda /a || return 1
	for file in /a/file* /a/size*; do
		echo "again: $(sha256sum "$file")"
	done
	umount /a
	blockdev --getro /dev/vdc | grep -qx 1 || return 1
	echo "vdc: $(head -c 512 /dev/vdc | sha256sum)"
	dd if=/dev/zero of=/dev/vdc bs=512 count=1 conv=fsync 2>/dev/null && return 1
	return 0
}

# A line of the console after the other, until the work is done.
lines() {
	i=0
	while [ ! -e /off ]; do
		i=$((i + 1))
		echo "line $i of what the console is busy with"
		usleep 20000
	done
}

# Works until `off` is typed, while its machine is saved and restored under it: writes files, reads them
# back past the cache, keeps half of 256 MiB of memory changing, and counts on the console.
work() {
	mkdir /dirty
	mount -t tmpfs -o size=130m none /dirty
	n=0
	while [ ! -e /off ]; do
		n=$((n + 1))
		head -c $((n % 7 * 100000 + 65536)) /dev/urandom >/new
		head -c 8388608 /dev/urandom >"/dirty/$((n % 16))"
		md5sum "/dirty/$((n % 16))" >"/sum$((n % 16))"
		cp /new "/a/file$((n % 16))"
		sync
		echo 1 >/proc/sys/vm/drop_caches
		cmp /new "/a/file$((n % 16))" || echo "hop: file $n differs"
		md5sum -cs "/sum$((n % 16))" || echo "hop: memory $n differs"
		echo "tick $n"
	done
	cat /sum* | md5sum -cs || echo 'hop: memory differs'
	! grep -q ' /a ' /proc/mounts || umount /a && echo 'hop: whole'
}

hop() {
	mkdir -p /a
	[ ! -e /dev/vda ] || mount -t ext4 /dev/vda /a || return 1
	work &
	worker=$!
	lines &
	if [ -d /sys/class/net/eth0 ]; then
		ip link set eth0 up
		ip addr add 10.0.9.2/24 dev eth0
		nc -ll -p 7 -e cat &
		echo 'echo: ready'
	fi
	while IFS= read -r word; do
		[ "$word" != off ] || break
		echo "typed: $word"
	done </dev/ttyAMA0
	: >/off
	wait $worker
	echo "hop: reseeded $(dmesg | grep -c 'reseeded due to virtual machine fork') times"
}

# The transport's driver comes and goes N times, each time with a read; what was written is there.
pages() {
	device=$(basename "$(readlink -f /sys/block/vda/device/..)")
	driver=/sys/bus/platform/drivers/virtio-mmio
	head -c 4194304 /dev/urandom >/data
	dd if=/data of=/dev/vda bs=64k conv=fsync 2>/dev/null || return 1
	i=0
	while [ $i -lt "$1" ]; do
		echo "$device" >$driver/unbind
		[ ! -e /dev/vda ] || return 1
		echo "$device" >$driver/bind
		dd if=/dev/vda bs=64k skip=$((i % 64)) count=1 2>/dev/null >/part || return 1
		dd if=/data bs=64k skip=$((i % 64)) count=1 2>/dev/null | cmp - /part || return 1
		i=$((i + 1))
	done
	echo "rebound: $i"
	echo "vda: $(head -c 4194304 /dev/vda | sha256sum)"
	cmp -n 4194304 /data /dev/vda
}

# interrupts NAME CPU: how many of that name the CPU has had.
interrupts() {
	awk -v name="$1" -v column=$(($2 + 2)) 'index($NF, name) == 1 { n += $column } END { print n + 0 }' \
		/proc/interrupts
}

# The disk over PCI: data, what interrupts, how often; and the rng's interrupt goes to another CPU.
pci() {
	head -c 4194304 /dev/urandom >/data
	before=$(($(interrupts virtio0 0) + $(interrupts virtio0 1)))
	i=0
	while [ $i -lt 64 ]; do
		dd if=/data of=/dev/vda bs=64k seek=$i skip=$i count=1 conv=fsync 2>/dev/null || return 1
		i=$((i + 1))
	done
	grep virtio /proc/interrupts | sed 's/^/irq: /'
	echo "enough: $(($(interrupts virtio0 0) + $(interrupts virtio0 1) - before >= 64))"
	echo 3 >/proc/sys/vm/drop_caches
	echo "vda: $(head -c 4194304 /dev/vda | sha256sum)"
	echo "functions: $(find /sys/bus/pci/devices -type l | wc -l)"
	for cpu in 1 0; do
		irq=$(sed -n 's/^ *\([0-9]*\):.* virtio1.*/\1/p' /proc/interrupts | tail -n 1)
		echo $((cpu + 1)) >"/proc/irq/$irq/smp_affinity" || return 1
		before=$(interrupts virtio1 $cpu)
		head -c 4096 /dev/hwrng >/dev/null || return 1
		echo "moved to $cpu: $(($(interrupts virtio1 $cpu) > before))"
	done
	cmp -n 4194304 /data /dev/vda
}

# The same with a network beside it, whose interrupts are counted, too.
its() {
	pci || return 1
	ip link set eth0 up && ip addr add 10.9.0.2/24 dev eth0 || return 1
	before=$(interrupts virtio2 0)
	ping -c 20 -i 0.1 -W 5 10.9.0.1 | sed 's/^/ping: /'
	all=0 cpu=0
	while [ $cpu -lt "$(nproc)" ]; do
		all=$((all + $(interrupts virtio2 $cpu)))
		cpu=$((cpu + 1))
	done
	echo "cpus: $cpu, enough: $((all - before >= 20))"
}

net() {
	ip link set eth0 up && ip addr add 10.9.0.2/24 dev eth0 || return 1
	ping -c 20 -i 0.1 -W 5 10.9.0.1 | sed 's/^/ping: /'
	# nc gives up when its input ends first: this one does not.
	mkfifo /hold
	exec 3<>/hold
	echo "received: $(nc 10.9.0.1 5001 <&3 | md5sum)"
	nc 10.9.0.1 5003 <&3 | nc 10.9.0.1 5002
}

# How many interrupts between CPUs there have been.
ipis() {
	awk '$1 ~ /^IPI/ { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' /proc/interrupts
}

# A word goes round a ring of processes, one on each CPU: each step wakes another CPU.
ring() {
	cpus=$(grep -c ^processor /proc/cpuinfo)
	cpu=0
	while [ $cpu -le "$cpus" ]; do
		mkfifo /ring$cpu
		cpu=$((cpu + 1))
	done
	cpu=0
	while [ $cpu -lt "$cpus" ]; do
		# shellcheck disable=SC2016
		taskset $((1 << cpu)) sh -c 'while read -r word; do echo "$word"; done' \
			</ring$cpu >/ring$((cpu + 1)) &
		cpu=$((cpu + 1))
	done
	exec 5>/ring0 6</ring"$cpus"
	i=0 before=$(ipis)
	while [ $i -lt 200 ]; do
		echo $i >&5
		read -r word <&6
		[ "$word" = $i ] || return 1
		i=$((i + 1))
	done
	echo "round: $i"
	echo "ipis: $(($(ipis) - before >= 200))"
	exec 5>&-
}

# Interrupts of each kind.
irqchip() {
	pci || return 1
	net || return 1
	echo "net: $(($(interrupts virtio2 0) + $(interrupts virtio2 1) > 0))"
	ring
}

# Configures eth0 by what a DHCP server says.
dhcp() {
	cat >/dhcp <<'EOF'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/$mask" dev "$interface" && ip route add default via "$router"
echo "dhcp: $ip router $router"
EOF
	chmod 755 /dhcp
	ip link set eth0 up && udhcpc -q -n -t 20 -i eth0 -s /dhcp 2>/dev/null
}

# Over a tap, to servers on the host: as many queues as CPUs, all of them used.
tap() {
	ip link set eth0 up && ip addr add 10.9.0.2/24 dev eth0 || return 1
	mount -t tmpfs tmp /newroot/tmp && mount -o bind /dev /newroot/dev || return 1
	echo "mtu: $(cat /sys/class/net/eth0/mtu)"
	echo 'wants a network'
	until ping -c 1 -W 1 10.9.0.1 >/dev/null; do :; done
	echo "queues: $(ls -d /sys/class/net/eth0/queues/rx-* | wc -l)"
	ping -c 5 -i 0.1 -W 5 10.9.0.1 | sed 's/^/ping: /'
	mkfifo /hold
	exec 3<>/hold
	echo "received: $(nc 10.9.0.1 5001 <&3 | md5sum)"
	nc 10.9.0.1 5003 <&3 | nc 10.9.0.1 5002
	for way in '' -R; do
		# shellcheck disable=SC2086
		chroot /newroot iperf3 -c 10.9.0.1 -t 2 -P 4 $way | sed -n "s/^.SUM.* \([0-9.]* .bits.sec\).*receiver/iperf$way: \1/p"
	done
	cat /sys/class/net/eth0/statistics/rx_errors | sed 's/^/errors: /'
}

# listens PORT: waits until somebody does, at a port in hexadecimal.
listens() {
	for _ in $(seq 500); do
		cat /proc/net/tcp /proc/net/tcp6 | grep -q ":$1 .* 0A " && return
		usleep 20000
	done
	echo "nobody listens at 0x$1"
	return 1
}

# Over passt: out to a server on the host, then in through forwarded ports, until the network ends.
user() {
	dhcp || return 1
	echo "mtu: $(cat /sys/class/net/eth0/mtu)"
	ping -c 5 -i 0.2 -W 5 10.8.0.1 | sed 's/^/ping: /'
	mkfifo /hold
	exec 3<>/hold
	echo "received: $(nc 10.8.0.1 5001 <&3 | md5sum)"
	nc 10.8.0.1 5003 <&3 | nc 10.8.0.1 5002
	nc -w 1 10.8.0.1 22 <&3 && return 1
	nc -l -p 80 -e cat &
	mount -t tmpfs tmp /newroot/tmp && mount -o bind /dev /newroot/dev || return 1
	chroot /newroot iperf3 -s -1 >/dev/null &
	listens 0050 && listens 1451 || return 1
	echo "listening"
	wait
	echo "ready to lose it: carrier $(cat /sys/class/net/eth0/carrier)"
	while [ "$(cat /sys/class/net/eth0/carrier)" = 1 ]; do usleep 20000; done
	echo "link down"
}

# Bit 34 of what the driver and the device agreed on: VIRTIO_F_RING_PACKED.
packed() {
	echo "packed: $(cut -c 35 "$1/device/features")"
}

rng() {
	echo "rng: $(cat /sys/class/misc/hw_random/rng_current)"
	a=$(head -c 64 /dev/hwrng | sha256sum)
	b=$(head -c 64 /dev/hwrng | sha256sum)
	zero=$(head -c 64 /dev/zero | sha256sum)
	[ "$a" != "$b" ] && [ "$a" != "$zero" ]
}

# param NAME: its value on the kernel's command line.
param() {
	tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"
}

# port NAME: its device.
port() {
	for name in /sys/class/virtio-ports/*/name; do
		[ "$(cat "$name")" != "$1" ] || echo "/dev/$(basename "${name%/name}")"
	done
}

# Sends back what comes over each port, and its checksum to the console. To write waits until
# somebody is there; to read would be the end.
ports() {
	bytes=$(param bytes)
	until [ "$(cat /sys/class/virtio-ports/*/name 2>/dev/null | wc -l)" -eq 4 ]; do usleep 20000; done
	echo "ports: $(cat /sys/class/virtio-ports/*/name | sort | tr '\n' ' ')"
	echo "hello from the guest" >"$(port log)"
	for name in sock tty; do
		exec 3<>"$(port $name)" || return 1
		echo "ready: $name"
		echo begin >&3
		head -c "$bytes" <&3 >/tmp/bytes
		echo "sum: $name $(md5sum </tmp/bytes)"
		cat /tmp/bytes >&3
		exec 3>&-
	done
	echo "on the second console" >/dev/hvc0
}

resize() {
	was=$(stty size </dev/console)
	echo "size: $was"
	echo ready >"$(port ready)"
	until now=$(stty size </dev/console) && [ "$now" != "$was" ]; do usleep 20000; done
	echo "size: $now"
}

meminfo() {
	awk -v key="$1:" '$1 == key { print int($2 / 1024) }' /proc/meminfo
}

# MiB in the balloon.
balloon_size() {
	awk '$1 == "balloon_inflate" { n += $2 } $1 == "balloon_deflate" { n -= $2 }
		END { print int(n / 256) }' /proc/vmstat
}

# With 96 of 256 MiB left, 120 are needed: the balloon gives way.
balloon_oom() {
	until [ "$(balloon_size)" -eq 160 ]; do usleep 100000; done
	echo "balloon: $(balloon_size) MiB, free $(($(meminfo MemFree) < 96 ? 1 : 0))"
	mount -t tmpfs -o size=200m none /tmp || return 1
	dd if=/dev/zero of=/tmp/file bs=1M count=120 2>/dev/null || return 1
	echo "then: $(($(balloon_size) < 160 ? 1 : 0)), $(du -m /tmp/file)"
}

# Free pages that are reported go back to the host, which looks at the marks.
balloon_report() {
	mount -t tmpfs -o size=200m none /tmp || return 1
	dd if=/dev/zero of=/tmp/file bs=1M count=150 2>/dev/null || return 1
	echo "filled"
	read -r _ </dev/console
	rm /tmp/file
	echo "emptied"
	read -r _ </dev/console
}

# What the host changes meanwhile: memory, and a disk.
live() {
	echo "before: $(balloon_size) MiB, $(cat /sys/block/vda/size) sectors"
	until [ "$(balloon_size)" -eq 128 ]; do usleep 50000; done
	echo "inflated: at most 128 MiB are free: $(($(meminfo MemFree) < 128 ? 1 : 0))"
	until [ "$(balloon_size)" -eq 0 ]; do usleep 50000; done
	echo "deflated: more are free: $(($(meminfo MemFree) > 128 ? 1 : 0))"
	until [ "$(cat /sys/block/vda/size)" -eq 16384 ]; do usleep 50000; done
	echo "grown: $(cat /sys/block/vda/size) sectors"
	dd if=/dev/urandom of=/dev/vda bs=64k seek=64 count=64 conv=fsync 2>/dev/null || return 1
	echo "end: $(tail -c 4194304 /dev/vda | sha256sum)"
}

# Waits for KEY_POWER (type 1, code 116): the first event of the first input device.
power() {
	[ -e /dev/input/event0 ] || return 1
	exec 3</dev/input/event0
	echo "ready for the key"
	echo "key: $(head -c 24 <&3 | od -An -tu2 -j16 -N6 | tr -s ' ')"
}

# shellcheck disable=SC2013
for word in $(cat /proc/cmdline); do
	case $word in
	t2=talk-*) talk "${word#t2=talk-}" ;;
	t2=pages-*) pages "${word#t2=pages-}" ;;
	t2=*) ${word#t2=} ;;
	esac
done
