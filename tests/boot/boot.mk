# SPDX-License-Identifier: GPL-2.0-only
# Small programs for the cases that run on the arm64 host: tests/boot/NAME.c.

BOOT_TOOLS := $(patsubst tests/boot/%.c,$(BUILD)/boot/%,$(wildcard tests/boot/*.c))

$(BUILD)/boot/%: tests/boot/%.c | $(SYSROOT)
	@mkdir -p $(@D)
	$(call SAY,CC)
	$(Q)$(TARGET_CC) $(TARGET_FLAGS) -static -o $@ $<

kvm-tests: $(BOOT_TOOLS)
-include $(BOOT_TOOLS:=.d)
