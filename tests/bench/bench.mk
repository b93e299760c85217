# SPDX-License-Identifier: GPL-2.0-only
# The programs that tests/bench runs on the arm64 host beside the tiny guests, and native/vring_bench,
# which runs here.

METERS := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))

$(BUILD)/bench/%: tests/bench/%.c | $(SYSROOT)
	@mkdir -p $(@D)
	$(call SAY,CC)
	$(Q)$(TARGET_CC) $(TARGET_FLAGS) -static -o $@ $<

VRING_BENCH := $(patsubst %.c,$(NATIVE)/%.o,$(wildcard tests/bench/native/*.c))
$(NATIVE)/vring_bench: $(VRING_BENCH) $(NATIVE)/libportable.a
	$(call SAY,LINK)
	$(Q)$(HOST_CC) $(NATIVE_FLAGS) -o $@ $^

bench: $(METERS) t1-guests $(NATIVE)/vring_bench
-include $(METERS:=.d) $(VRING_BENCH:.o=.d)
