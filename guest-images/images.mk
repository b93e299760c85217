# SPDX-License-Identifier: GPL-2.0-only
#
# The guests' kernel, initramfs and root disk, from Debian's packages.

GUEST := $(BUILD)/guest
GUEST_FETCH := tests/fetch guest-images/kernel

.PHONY: images
images: $(GUEST)/Image $(GUEST)/initrd.gz $(GUEST)/root.ext4

$(GUEST)/Image: $(GUEST_FETCH)
	guest-images/kernel $(GUEST)/linux
	ln -f $(GUEST)/linux/Image $@
	touch $@

$(GUEST)/initrd.gz: $(GUEST)/Image guest-images/initrd guest-images/initrd.modules guest-images/init
	guest-images/initrd $(GUEST)/linux $@

$(GUEST)/root.ext4: $(wildcard guest-images/root*)
	mkdir -p $(@D)
	guest-images/root $@
