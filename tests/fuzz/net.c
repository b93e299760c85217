// SPDX-License-Identifier: GPL-2.0-only
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "virtio/mmio.h"
#include "virtio/net.h"

struct world {
	struct fuzz f;
	int peer;
};

/* Packets of any length come, or go. */
static void event(struct fuzz *f)
{
	struct world *w = container_of(f, struct world, f);
	uint8_t what = fuzz_u8(f), buf[2048] = { 0 };
	size_t len = fuzz_bytes(f, buf, 64);

	if (what & 0x80)
		len += (what & 0x7f) * 15;
	if (what & 1) {
		while (recv(w->peer, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
	} else {
		send(w->peer, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct net_config cfg = {
		.transport = &virtio_mmio, .mode = NET_TAP, .has_mac = true, .queues = 1
	};
	static struct world w;
	int pair[2];

	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
	fuzz_init(&w.f, data, len, 3);
	w.f.event = event;
	w.f.announces = true;
	w.peer = pair[1];
	cfg.fd = pair[0];
	FUZZ_CHECK(!net_create(&w.f.g.env, &cfg, &w.f.g.dev, NULL));
	fuzz_run(&w.f);
	fuzz_fini(&w.f);
	close(pair[0]);
	close(pair[1]);
	return 0;
}
