// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/net_priv.h"

/* Newer than some headers: VIRTIO 1.2, 5.1.3, and Linux 6.2. */
enum { F_GUEST_USO4 = 54, F_GUEST_USO6 = 55, F_HOST_USO = 56 };
#define F_USO4 0x20
#define F_USO6 0x40

/* What stands on what, one of them being enough (5.1.3.1), and what a tap must be able to do:
 * it is told of the GUEST_ ones, what it sends to us. */
static const struct {
	unsigned int feature;
	unsigned int tun_f;
	uint64_t needs;
} table[] = {
	{ VIRTIO_NET_F_GUEST_CSUM, TUN_F_CSUM, 0 },
	{ VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4, VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) },
	{ VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6, VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) },
	{ VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN,
	  VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6) },
	{ VIRTIO_NET_F_GUEST_UFO, TUN_F_UFO, VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) },
	{ F_GUEST_USO4, F_USO4, VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) },
	{ F_GUEST_USO6, F_USO6, VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) },
	{ VIRTIO_NET_F_CSUM, TUN_F_CSUM, 0 },
	{ VIRTIO_NET_F_HOST_TSO4, TUN_F_TSO4, VIRTIO_BIT(VIRTIO_NET_F_CSUM) },
	{ VIRTIO_NET_F_HOST_TSO6, TUN_F_TSO6, VIRTIO_BIT(VIRTIO_NET_F_CSUM) },
	{ VIRTIO_NET_F_HOST_ECN, TUN_F_TSO_ECN,
	  VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO4) | VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO6) },
	{ VIRTIO_NET_F_HOST_UFO, TUN_F_UFO, VIRTIO_BIT(VIRTIO_NET_F_CSUM) },
	{ F_HOST_USO, F_USO4 | F_USO6, VIRTIO_BIT(VIRTIO_NET_F_CSUM) },
	/* Not the tap's, so never by net_offload_features(). */
	{ VIRTIO_NET_F_CTRL_RX, ~0u, VIRTIO_BIT(VIRTIO_NET_F_CTRL_VQ) },
	{ VIRTIO_NET_F_CTRL_VLAN, ~0u, VIRTIO_BIT(VIRTIO_NET_F_CTRL_VQ) },
	{ VIRTIO_NET_F_CTRL_RX_EXTRA, ~0u, VIRTIO_BIT(VIRTIO_NET_F_CTRL_RX) },
	{ VIRTIO_NET_F_GUEST_ANNOUNCE, ~0u, VIRTIO_BIT(VIRTIO_NET_F_CTRL_VQ) },
	{ VIRTIO_NET_F_MQ, ~0u, VIRTIO_BIT(VIRTIO_NET_F_CTRL_VQ) },
	{ VIRTIO_NET_F_CTRL_MAC_ADDR, ~0u, VIRTIO_BIT(VIRTIO_NET_F_CTRL_VQ) },
	{ VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, ~0u, VIRTIO_BIT(VIRTIO_NET_F_CTRL_VQ) },
};

enum { NFEATURES = sizeof(table) / sizeof(table[0]), FIRST_HOST = 7 };

bool net_features_fit(uint64_t features)
{
	for (unsigned int i = 0; i < NFEATURES; i++)
		if (features >> table[i].feature & 1 && table[i].needs &&
		    !(features & table[i].needs))
			return false;
	return true;
}

unsigned int net_offloads(uint64_t features)
{
	unsigned int tun_f = 0;

	for (unsigned int i = 0; i < FIRST_HOST; i++)
		if (features >> table[i].feature & 1)
			tun_f |= table[i].tun_f;
	/* Linux knows only both together. */
	if ((tun_f & (F_USO4 | F_USO6)) != (F_USO4 | F_USO6))
		tun_f &= ~(F_USO4 | F_USO6);
	return tun_f;
}

uint64_t net_guest_features(void)
{
	uint64_t features = 0;

	for (unsigned int i = 0; i < FIRST_HOST; i++)
		features |= VIRTIO_BIT(table[i].feature);
	return features;
}

unsigned int net_all_offloads(void)
{
	return TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_UFO | F_USO4 | F_USO6;
}

unsigned int net_probe_offloads(struct net_backend *be)
{
	const unsigned int best_first[] = {
		net_all_offloads(),
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_UFO,
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
	};
	unsigned int found = 0;

	for (unsigned int i = 0; !found && i < sizeof(best_first) / sizeof(best_first[0]); i++)
		if (!be->ops->offload(be, best_first[i]))
			found = best_first[i];
	be->ops->offload(be, 0);
	return found;
}

uint64_t net_offload_features(unsigned int tun_f)
{
	uint64_t features = 0;

	for (unsigned int i = 0; i < NFEATURES; i++)
		if ((table[i].tun_f & tun_f) == table[i].tun_f)
			features |= VIRTIO_BIT(table[i].feature);
	return features;
}
