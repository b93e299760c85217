# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
# The ITS in userspace and the kernel's: an interrupt by INT, an INV and an INVALL, each until the
# guest sees it done. Linux sends an INV whenever it masks or unmasks.

lpis() {
	count ours -k lpis.bin -p "op=$op n=$1 lpis=$lpis"
}

once() {
	for its in user kernel; do
		ours_options="--irqchip gicv3-its --its $its"
		slope "$name" $its "$few" "$many" lpis
	done
}

for row in int:16:200:1200 inv:16:200:1200 inv:57344:20:120 invall:57344:2:6; do
	op=${row%%:*} row=${row#*:}
	lpis=${row%%:*} row=${row#*:}
	few=${row%:*} many=${row#*:}
	name="its $op, $lpis LPIs"
	repeat 2 once
	compare "$name" instructions user kernel "kernel's ITS"
done
ours_options=
