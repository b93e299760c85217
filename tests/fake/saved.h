/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_SAVED_H
#define TESTS_FAKE_SAVED_H

#include "vmm/core/device.h"
#include "vmm/core/stream.h"

/* A device's state, which there has to be; the stream is the caller's to read and to close. */
struct stream device_saved(struct device *dev);
/* Loads `len` bytes of state: 0 or -errno. */
int device_load(struct device *dev, const void *state, size_t len);

#endif
