// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "tests/fake/its.h"
#include "tests/fake/saved.h"
#include "tests/fuzz/fuzz.h"

/* Commands, mostly such as there are, with small and with any identifiers; any access to the frame;
 * any bytes in RAM; saved, altered and loaded. The sink aborts at a command that could fail. */
enum { ACTIONS_MAX = 400 };

struct target {
	struct fuzz f; /* reads the input alone */
	struct fake_its its;
};

static uint32_t any_id(struct fuzz *f, uint32_t few)
{
	uint8_t pick = fuzz_u8(f);

	return pick < 0xe0 ? pick % few : pick < 0xf8 ? fuzz_u16(f) : fuzz_u32(f);
}

static void command(struct target *t)
{
	static const uint8_t ops[] = { 0x01, 0x03, 0x04, 0x05, 0x08, 0x09, 0x0a, 0x0a,
				       0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x08, 0x09 };
	struct fuzz *f = &t->f;
	uint8_t pick = fuzz_u8(f);
	uint8_t op = pick < 0xf8 ? ops[pick % 16] : fuzz_u8(f);
	uint64_t valid = pick & 0x70 ? 1ULL << 63 : 0;
	struct its_command cmd = { { op | (uint64_t)any_id(f, 4) << 32, 0, 0, 0 } };

	if (op == 0x08)
		/* Large ones take long. */
		cmd.word[1] = pick & 8 ? fuzz_u8(f) % 6U : any_id(f, 8) % 18U;
	else
		cmd.word[1] = any_id(f, 40) | (8192 + (uint64_t)any_id(f, 16)) << 32;
	cmd.word[2] = valid | (uint16_t)any_id(f, 4) | (uint64_t)any_id(f, 5) << 16;
	cmd.word[3] = (uint64_t)any_id(f, 5) << 16;
	fake_its_put(&t->its, &cmd);
}

static void go(struct target *t)
{
	fake_its_write(&t->its, 0x88, 8, t->its.written);
	if (fuzz_u8(&t->f) & 3)
		fake_its_settle(&t->its);
}

static void access(struct target *t)
{
	static const uint16_t offsets[] = { 0x0, 0x4, 0x8, 0x80, 0x88, 0x90, 0x100, 0x108 };
	struct fuzz *f = &t->f;
	uint8_t how = fuzz_u8(f);
	uint64_t off = how & 0x80 ? fuzz_u32(f) % ITS_SIZE : offsets[how >> 4 & 7] + (how & 4U);
	uint64_t val = how & 8 ? FAKE_ITS_RAM + ((uint64_t)fuzz_u8(f) << 14) : fuzz_u32(f);

	if (how & 4)
		val |= (uint64_t)fuzz_u32(f) << 32;
	if (how & 8)
		val |= 1ULL << 63 | fuzz_u8(f);
	bus_write(&t->its.bus, FAKE_ITS_BASE + off, 1U << (how & 3), val);
	bus_read(&t->its.bus, FAKE_ITS_BASE + off, 1U << (how & 3), &val);
}

static void poke(struct target *t)
{
	uint8_t data[64];
	uint32_t at = fuzz_u32(&t->f) % (FAKE_ITS_RAM_SIZE - sizeof(data));

	if (fuzz_u8(&t->f) & 1)
		at %= 256;
	memcpy(t->its.ram + at, data, fuzz_bytes(&t->f, data, sizeof(data)));
}

static void message(struct target *t)
{
	const struct msi msi = { FAKE_ITS_BASE + ITS_TRANSLATER, any_id(&t->f, 40),
				 any_id(&t->f, 4) };

	its_message(t->its.dev, &msi);
}

/* What is enabled is as it was before; everything comes to the same messages. */
static void agree(struct target *t)
{
	for (uint32_t d = 0; d < 4; d++) {
		for (uint32_t e = 0; e < 40; e++) {
			uint32_t i = 0, c = 0, si = 0, sc = 0;
			int model = its_translate(t->its.dev, d, e, &i, &c);

			FUZZ_CHECK(model == fake_its_sent(&t->its, d, e, &si, &sc));
			FUZZ_CHECK(i == si);
		}
	}
}

static void save_and_load(struct target *t)
{
	struct stream saved, again;
	uint8_t alter;

	fake_its_settle(&t->its);
	agree(t);
	saved = device_saved(t->its.dev);
	FUZZ_CHECK(!device_load(t->its.dev, saved.buf, saved.len));
	agree(t);
	again = device_saved(t->its.dev);
	FUZZ_CHECK(saved.len == again.len && !memcmp(saved.buf, again.buf, saved.len));
	alter = fuzz_u8(&t->f);
	if (alter & 1) {
		saved.buf[fuzz_u16(&t->f) % saved.len] ^= alter;
		if (!device_load(t->its.dev, saved.buf, saved.len))
			agree(t);
		else
			device_load(t->its.dev, again.buf, again.len);
	}
	stream_close(&saved);
	stream_close(&again);
}

static void recover(struct target *t)
{
	fake_its_write(&t->its, 0, 4, 0);
	fake_its_settle(&t->its);
	fake_its_enable(&t->its);
}

static void (*const actions[])(struct target *t) = {
	command, command, command, command, command,	   go,	    go, access, command,
	command, message, command, poke,    save_and_load, recover, go,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct target t;

	t.f.at = data;
	t.f.end = data + len;
	/* To make it anew takes long: a reset has to do as well. */
	if (t.its.dev)
		fake_its_reset(&t.its);
	else
		fake_its_init(&t.its, FAKE_ITS_CPUS);
	for (unsigned int i = 0; i < ACTIONS_MAX && t.f.at < t.f.end; i++)
		actions[fuzz_u8(&t.f) % (sizeof(actions) / sizeof(actions[0]))](&t);
	fake_its_settle(&t.its);
	agree(&t);
	return 0;
}
