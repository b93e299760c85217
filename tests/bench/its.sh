# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
# The ITS in userspace and the kernel's: an interrupt by INT, an INV and an INVALL, each until the
# guest sees it done, by its own clock: to map that many takes longer than what is measured. Linux
# sends an INV whenever it masks or unmasks.

once() {
	for its in user kernel; do
		ours_options="--irqchip gicv3-its --its $its"
		count ours -k lpis.bin -p "op=$op n=$n lpis=$lpis"
		sample "$name" $its $(($(sed -n 's/^lpis: \([0-9]*\) ns.*/\1/p' out) / n))
	done
}

expected='^lpis: [0-9]* ns'
for row in int:16:1000 inv:16:1000 inv:57344:100 invall:57344:4; do
	op=${row%%:*} row=${row#*:}
	lpis=${row%:*} n=${row#*:}
	name="its $op, $lpis LPIs"
	repeat 1 once
	compare "$name" instructions user kernel "kernel's ITS"
done
expected='' ours_options=''
