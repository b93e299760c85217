// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "virtio/console.h"
#include "virtio/mmio.h"
#include "vmm/core/chardev.h"

enum { PORTS = 2 };

/* The host's ends: a client for each, who comes, talks, listens and goes. */
struct world {
	struct fuzz f;
	struct chardev *chr[PORTS];
	struct chardev_owner owner;
	int client[PORTS]; /* or -1 */
};

static void gone(struct chardev_owner *owner, int err)
{
	(void)owner;
	(void)err;
}

static void come(struct world *w, unsigned int i)
{
	int pair[2];

	if (w->client[i] >= 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return;
	pthread_mutex_lock(&w->f.g.dev->lock);
	if (chardev_attached(w->chr[i]))
		chardev_detach(w->chr[i]);
	FUZZ_CHECK(!chardev_attach(w->chr[i], pair[0], pair[0]));
	pthread_mutex_unlock(&w->f.g.dev->lock);
	close(pair[0]);
	w->client[i] = pair[1];
}

static void leave(struct world *w, unsigned int i)
{
	if (w->client[i] >= 0)
		close(w->client[i]);
	w->client[i] = -1;
}

static void event(struct fuzz *f)
{
	struct world *w = container_of(f, struct world, f);
	uint8_t what = fuzz_u8(f), buf[4096];
	unsigned int i = what & 1;

	switch (what >> 1 & 3) {
	case 0:
		come(w, i);
		break;
	case 1:
		if (send(w->client[i], buf, fuzz_bytes(f, buf, sizeof(buf)), MSG_NOSIGNAL) < 0)
			leave(w, i);
		break;
	case 2:
		if (recv(w->client[i], buf, sizeof(buf), 0) == 0)
			leave(w, i);
		break;
	case 3:
		leave(w, i);
		break;
	}
}

/* A single console, or ports, as the first byte says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct console_port ports[PORTS] = { { "one", false, NULL }, { "two", true, NULL } };
	struct console_config cfg = { .transport = &virtio_mmio };
	static struct world w;

	if (!len)
		return 0;
	signal(SIGPIPE, SIG_IGN);
	fuzz_init(&w.f, data + 1, len - 1, data[0] & 1 ? 2 : 8);
	w.f.event = event;
	w.owner = (struct chardev_owner){ gone, 1000000000 };
	for (unsigned int i = 0; i < PORTS; i++) {
		FUZZ_CHECK(!chardev_create(&w.chr[i], w.f.g.loop, -1, -1));
		chardev_own(w.chr[i], &w.owner);
		ports[i].chr = w.chr[i];
		w.client[i] = -1;
	}
	cfg.chr = w.chr[0];
	if (!(data[0] & 1)) {
		cfg.ports = ports;
		cfg.nports = PORTS;
	}
	FUZZ_CHECK(!console_create(&w.f.g.env, &cfg, &w.f.g.dev, NULL));
	fuzz_run(&w.f);
	w.f.g.dev->ops->destroy(w.f.g.dev);
	w.f.g.dev = NULL;
	for (unsigned int i = 0; i < PORTS; i++) {
		leave(&w, i);
		chardev_destroy(w.chr[i]);
	}
	fuzz_fini(&w.f);
	return 0;
}
