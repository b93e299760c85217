// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/device.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

void device_init(struct device *dev, const struct device_ops *ops, const char *type,
		 const struct device_env *env)
{
	int n = snprintf(dev->name, sizeof(dev->name), "%s@%" PRIx64, type, env->base);

	/* Names are unique only if whole. */
	assert(n > 0 && (size_t)n < sizeof(dev->name));
	(void)n;
	dev->ops = ops;
	dev->env = *env;
	pthread_mutex_init(&dev->lock, NULL);
}

void device_fini(struct device *dev)
{
	if (dev->ops)
		pthread_mutex_destroy(&dev->lock);
	dev->ops = NULL;
}
