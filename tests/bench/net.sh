# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
# Packets and streams between the host and a guest on a tap: what one costs, and its exits.

modprobe tun
modprobe vhost_net
params='console=ttyAMA0 quiet net'

ours_net() {
	# shellcheck disable=SC2086
	exec vmm run --nodefaults --grace 0 -m 256 -k Image -i net.initrd -p "$params" \
		-n "mode=tap,tapif=tap0$1" ${ours_options-}
}

lazy_net() {
	ours_options='--mmio-pages lazy'
	ours_net "$1"
}

off_net() {
	ours_options='--mmio-pages off'
	ours_net "$1"
}

pci_net() {
	ours_options='--virtio-transport pci'
	ours_net "$1"
}

qemu_net() {
	exec qemu-system-aarch64 -accel kvm -machine virt,gic-version=3 -cpu host -m 256 -nodefaults \
		-display none -serial stdio -monitor none -global virtio-mmio.force-legacy=false \
		-netdev "tap,id=n,ifname=tap0,script=no,downscript=no$1" \
		-device virtio-net-device,netdev=n -kernel Image -initrd net.initrd -append "$params"
}

# traffic WHO SERIES WORD N: what one costs, and the exits per packet or MiB.
traffic() {
	echo 'hist:keys=reason' >$events/kvm_userspace_exit/trigger
	./netload "$3" 10.9.0.2 "$4" >cost || { printf 'fail\tnet\t%s %s\n' "$1" "$3"; return 1; }
	user=$(sed -n 's/.*hitcount: *//p' $events/kvm_userspace_exit/hist |
		awk '{ n += $1 } END { print n + 0 }')
	echo '!hist:keys=reason' >$events/kvm_userspace_exit/trigger
	sample "$2" "$1" "$(cat cost)"
	sample "$2 exits" "$1" "$((user * 100 / $4))"
}

# net WHO NAME WORDS: one guest and all its traffic.
net() {
	"${1}_net" "$3" <hold >out 2>err &
	machine=$!
	if ./netload wait 10.9.0.2; then
		# The driver learns how large its buffers should be.
		./netload send 10.9.0.2 8 >/dev/null
		traffic "$1" "ICMP echo$2" icmp 500
		traffic "$1" "UDP ping-pong$2" udp 500
		# How the two sides fall into step differs from transfer to transfer.
		for _ in 1 2 3; do
			traffic "$1" "TCP host to guest, MiB$2" send 32
			traffic "$1" "TCP guest to host, MiB$2" receive 32
		done
	else
		printf 'fail\tnet\t%s: %s\n' "$1" "$(tail -n 2 err out | tr '\n\t' '  ')"
	fi
	kill $machine
	wait $machine 2>/dev/null
}

tunctl -t tap0 >/dev/null
ip addr add 10.9.0.1/24 dev tap0
ip link set tap0 up
[ -e hold ] || mkfifo hold
exec 6<>hold
# against WORDS WHO...: each of ours and QEMU's on the same network.
against() {
	kind=${1:+, vhost} words=$1
	shift
	net qemu "$kind" "$words"
	for mode; do
		net "$mode" "$kind" "$words"
		suffix=", $mode"
		[ "$mode" != ours ] || suffix=
		for what in 'ICMP echo' 'UDP ping-pong' 'TCP host to guest, MiB' 'TCP guest to host, MiB'; do
			compare "$what$kind" instructions "$mode" qemu "$peer_name" "$suffix"
			compare "$what$kind exits" 'exits/100' "$mode" qemu "$peer_name" "$suffix"
		done
	done
}

against '' ours lazy off pci
against ,vhost=on ours pci
quote 'ICMP echo' instructions 89000
quote 'UDP ping-pong' instructions 101000
quote 'TCP host to guest, MiB' instructions 2170000
quote 'TCP guest to host, MiB' instructions 2170000
