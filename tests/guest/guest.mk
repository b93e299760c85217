# SPDX-License-Identifier: GPL-2.0-only
# Tiny bare-metal guests (T1): tests/guest/NAME.c with the library becomes $(BUILD)/t1/NAME.bin;
# a NAME.S stands alone.

T1 := $(BUILD)/t1
T1_LIB := $(patsubst tests/guest/lib/%,$(T1)/lib/%.o,$(wildcard tests/guest/lib/*.[cS]))
T1_BINS := $(patsubst tests/guest/%,$(T1)/%.bin,$(basename $(wildcard tests/guest/*.[cS])))
T1_FLAGS := -std=gnu11 $(WARN) -O2 -g -MMD -MP -I. -ffreestanding -nostdlib -mgeneral-regs-only \
	-fno-pic -fno-stack-protector -mno-outline-atomics
T1_LINK := -static -no-pie -nostdlib -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
	-Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -T tests/guest/lib/link.ld

t1-guests: $(T1_BINS)

$(T1)/%.bin: $(T1)/%.elf
	$(Q)$(CROSS)objcopy -O binary $< $@

$(T1)/%.elf: $(T1)/%.S.o tests/guest/lib/link.ld
	$(call SAY,LINK)
	$(Q)$(TARGET_CC) $(T1_LINK) -o $@ $<

$(T1)/%.elf: $(T1)/%.c.o $(T1_LIB) tests/guest/lib/link.ld
	$(call SAY,LINK)
	$(Q)$(TARGET_CC) $(T1_LINK) -o $@ $(T1_LIB) $<

$(T1)/%.o: tests/guest/%
	$(call SAY,CC)
	@mkdir -p $(@D)
	$(Q)$(TARGET_CC) $(T1_FLAGS) -c -o $@ $<

.PHONY: t1-guests
-include $(wildcard $(T1)/*.d $(T1)/lib/*.d)
