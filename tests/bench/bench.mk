# SPDX-License-Identifier: GPL-2.0-only
# The programs that tests/bench runs on the arm64 host beside the tiny guests.

METERS := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))

$(BUILD)/bench/%: tests/bench/%.c | $(SYSROOT)
	@mkdir -p $(@D)
	$(call SAY,CC)
	$(Q)$(TARGET_CC) $(TARGET_FLAGS) -static -o $@ $<

bench: $(METERS) t1-guests
-include $(METERS:=.d)
