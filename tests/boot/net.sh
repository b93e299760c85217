#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: networks of a Debian guest. Arguments: how many MiB a transfer moves,
# the groups of cases.

suite=net
# shellcheck source=tests/lib.sh
. ./lib.sh
show=4
size=$1 limit=$((200 + 5 * $1))
shift

# The initramfs cannot be pivoted away from, as passt does: a bind mount of it can.
if [ -z "${moved-}" ]; then
	mkdir /real
	export moved=1
	exec unshare -m sh -c 'mount --bind / /real && mount --rbind /dev /real/dev &&
		mount --rbind /proc /real/proc && mount --rbind /sys /real/sys &&
		mount --rbind /tmp /real/tmp && mount --rbind /run /real/run &&
		mount --rbind /lib/modules /real/lib/modules &&
		cd /real && mount --move . / && exec chroot . sh -c "cd /root && exec sh net.sh $*"' \
		- "$size" "$@"
fi

# A network of its own for the host: its default route leads nowhere, which passt does not mind.
host_network() {
	modprobe dummy
	ip addr add 10.7.0.2/24 dev dummy0
	ip addr add 10.8.0.1/32 dev lo
	ip link set dummy0 up
	ip route add default via 10.7.0.1
	echo '0 65535' >/proc/sys/net/ipv4/ping_group_range
	echo 'nameserver 10.7.0.1' >/etc/resolv.conf
}

# A user without any right but the one to use KVM.
user_nobody() {
	grep -q ^nobody /etc/passwd || echo 'nobody:x:65534:65534::/:/bin/sh' >>/etc/passwd
	chmod 666 /dev/kvm
	chmod 755 . /root
	chmod 644 Image initrd /dev/vdb
	mkdir as
	cat >as/vmm <<'EOF'
#!/bin/sh
exec su -s /bin/sh -c 'exec /usr/bin/vmm "$@"' -- nobody sh "$@"
EOF
	chmod 755 as as/vmm
}

# What guests have as a disk.
mount_root() {
	mkdir -p /peer
	mount -t ext4 -o ro /dev/vdb /peer
	mount --bind /tmp /peer/tmp && mount --bind /dev /peer/dev
	cat >/usr/bin/iperf3 <<'EOF'
#!/bin/sh
exec chroot /peer iperf3 "$@"
EOF
	chmod 755 /usr/bin/iperf3
}

# From the host into the guest: a file there and back, and datagrams, of which none should be lost.
# busybox nc does not read while it cannot write: no more than all buffers on the way hold.
call_guest() {
	mkfifo feed
	exec 7<>feed
	head -c 4194304 sent >back
	cat back >&7 &
	nc 127.0.0.1 8080 <&7 | { head -c 4194304 >echoed; kill $(pidof nc); }
	iperf3 -u -c 127.0.0.1 -p 8081 -n 100K -l 1000 -b 1M >datagrams 2>&1
}

user() {
	[ "$size" -le 20 ] || size=20
	host_network
	user_nobody
	serve $((size * 1048576))
	PATH=$PWD/as:$PATH vmm_drive '*listening*' 'run call_guest &' \
		'*ready to lose it*' 'run kill $(pidof passt)' -- \
		-k Image -i initrd -m 256 -p "console=ttyAMA0 quiet root=/dev/vda ro t2=user" \
		-d /dev/vdb,ro -n mode=user,fwd=8080:80,fwd=8081:5201,fwd=127.0.0.1:8081:5201/udp,mtu=1400
	served
	expect 'user: address and MTU' 0 'dhcp: 10.7.0.2 router 10.7.0.1' 'mtu: 1400'
	expect 'user: ping' 0 'ping: 5 packets transmitted, 5 packets received, 0% packet loss'
	expect 'user: tcp to the guest' 0 "received: $sum" 'test: exit 0'
	check 'user: tcp to the host' 'what came back differs' cmp sent returned
	check 'user: tcp by a forwarded port' 'what came back differs' cmp back echoed
	check 'user: udp by a forwarded port' "$(cat datagrams)" \
		grep -q ' 0/[0-9]* (0%)  *receiver' datagrams
	expect 'user: passt ends, link goes down' 0 'link down' \
		'vmm: warning: virtio-net.*; its link is down' 'vmm: warning: virtio-net.*: passt ended.*'
	check 'user: no passt is left' "$(pidof passt)" test -z "$(pidof passt)"
}

# The host's side of a tap, once it is there.
tap_up() {
	ip addr add 10.9.0.1/24 dev "$tap" && ip link set "$tap" mtu 4000 up
}

# tap_case NAME TAP QUEUES WORDS [OPTION]...: a guest on a tap that is there (tap0), or that vmm
# makes (vmtap0).
tap_case() {
	name=$1 tap=$2 queues=$3 words=$4
	shift 4
	[ "$tap" = vmtap0 ] || tunctl -t "$tap" >/dev/null
	serve $((size * 1048576))
	iperf3 -s >iperf3 2>&1 &
	servers="$servers $!"
	listening 5201
	vmm_drive '*wants a network*' 'run tap_up' -- \
		-k Image -i initrd -m 256 -c "$queues" -p "console=ttyAMA0 quiet root=/dev/vda ro t2=tap" \
		-d /dev/vdb,ro -n "mode=tap,mtu=4000,queues=$queues$words" "$@"
	served
	expect "$name: ping" 0 'ping: 5 packets transmitted, 5 packets received, 0% packet loss' \
		'mtu: 4000' "queues: $queues"
	expect "$name: tcp to the guest" 0 "received: $sum" 'test: exit 0'
	check "$name: tcp to the host" 'what came back differs' cmp sent returned
	expect "$name: iperf3" 0 'iperf: .*bits/sec' 'iperf-R: .*bits/sec' 'errors: 0'
	grep 'error' iperf3
	grep -a '^iperf' out | tr -d '\r' | sed "s/^/   $name /"
	[ "$tap" = vmtap0 ] || tunctl -d "$tap" >/dev/null
	check "$name: no tap is left" "$(ls /sys/class/net)" test ! -e "/sys/class/net/$tap"
}

tap() {
	tap_case tap tap0 1 ,tapif=tap0
}

vhost() {
	modprobe vhost_net
	tap_case vhost vmtap0 1 ,vhost=on
	tap_case 'vhost mq' vmtap0 2 ,vhost=on
}

pci() {
	modprobe vhost_net
	tap_case pci vmtap0 2 '' --virtio-transport pci
	tap_case 'vhost pci' vmtap0 2 ,vhost=on --virtio-transport pci
}

mq() {
	tap_case mq vmtap0 2 ''
}

modprobe tun
mount_root
for group; do
	$group
done
summary
