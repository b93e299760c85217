# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What becomes of a machine that goes from one host kernel to another: for the scripts that move them.

# FROM TO PSCI, patterns all, and a reason that it is refused for, or `-`. The first row that fits counts.
outcomes='
6.1	*	*		-
7.x	7.x	*		-
*	6.1	user		PSCI is vmm.s own
7.x	6.1	kernel		told of PSCI 1.3
*	6.1	*		CLIDR_EL1 is .* in the snapshot
7.x	6.12	kernel		told of PSCI 1.3.*--allow-psci-downgrade
7.x	6.12	*		-
6.12	*	*		-
'

# outcome FROM TO PSCI: its last column.
outcome() {
	echo "$outcomes" | while read -r row_from row_to row_psci reason; do
		# shellcheck disable=SC2254 # patterns they are
		case $1 in $row_from) ;; *) continue ;; esac
		# shellcheck disable=SC2254
		case $2 in $row_to) ;; *) continue ;; esac
		# shellcheck disable=SC2254
		case $3 in $row_psci) ;; *) continue ;; esac
		[ -n "$row_from" ] || continue
		echo "$reason"
		break
	done
}
