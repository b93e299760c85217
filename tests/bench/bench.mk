# SPDX-License-Identifier: GPL-2.0-only
# The programs that tests/bench runs on the arm64 host beside the tiny guests, and native/*_bench,
# which run here.

METERS := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))

$(BUILD)/bench/%: tests/bench/%.c | $(SYSROOT)
	@mkdir -p $(@D)
	$(call SAY,CC)
	$(Q)$(TARGET_CC) $(TARGET_FLAGS) -static -o $@ $<

VRING_BENCH := $(addprefix $(NATIVE)/tests/bench/native/,driver.o vring_bench.o)
$(NATIVE)/vring_bench: $(VRING_BENCH) $(NATIVE)/libportable.a
	$(call SAY,LINK)
	$(Q)$(HOST_CC) $(NATIVE_FLAGS) -o $@ $^

ITS_BENCH := $(NATIVE)/tests/bench/native/its_bench.o
$(NATIVE)/its_bench: $(ITS_BENCH) $(NATIVE)/libportable.a
	$(call SAY,LINK)
	$(Q)$(HOST_CC) $(NATIVE_FLAGS) -o $@ $^ -lfdt

SNAPSHOT_BENCH := $(NATIVE)/tests/bench/native/snapshot_bench.o
$(NATIVE)/snapshot_bench: $(SNAPSHOT_BENCH) $(NATIVE)/libportable.a
	$(call SAY,LINK)
	$(Q)$(HOST_CC) $(NATIVE_FLAGS) -o $@ $^ -lfdt

bench: $(METERS) t1-guests $(addprefix $(NATIVE)/,vring_bench its_bench snapshot_bench)
-include $(METERS:=.d) $(VRING_BENCH:.o=.d) $(ITS_BENCH:.o=.d) $(SNAPSHOT_BENCH:.o=.d)
