// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/saved.h"

#include <assert.h>

#include "vmm/core/state.h"

struct stream device_saved(struct device *dev)
{
	struct stream out;
	struct state s;
	int err;

	stream_open_buf(&out);
	state_init_save(&s, &out);
	pthread_mutex_lock(&dev->lock);
	dev->ops->state(dev, &s);
	pthread_mutex_unlock(&dev->lock);
	/* Not Check's: fuzzers and children of tests come here, too. */
	err = state_end(&s);
	assert(!err && out.len);
	stream_rewind(&out);
	return out;
}

int device_load(struct device *dev, const void *state, size_t len)
{
	struct stream in;
	struct state s;
	int err;

	stream_open_data(&in, state, len);
	state_init_load(&s, &in);
	pthread_mutex_lock(&dev->lock);
	dev->ops->state(dev, &s);
	pthread_mutex_unlock(&dev->lock);
	err = state_end(&s);
	stream_close(&in);
	return err;
}
