# postmulti-lua - `make help` lists the targets

# Settings; each may be given on the command line.
PREFIX           = /usr/local
BINDIR           = $(PREFIX)/bin
SBINDIR          = $(PREFIX)/sbin
MANDIR           = $(PREFIX)/share/man
SHAREDIR         = $(PREFIX)/share/postmulti
LUADIR           = $(PREFIX)/share/lua/5.4
LUACDIR          = $(PREFIX)/lib/lua/5.4
SYSCONFDIR       = /etc
CONFIG_DIRECTORY = /etc/postfix
DESTDIR          =
BUILD            = build

CC       = cc
CFLAGS   = -O2 -g
POSTCONF = $(firstword $(wildcard /usr/sbin/postconf) postconf)
INSTALL  = install

# Compiled-in settings of the installed Postfix, so that no process is needed
# to know them; Debian's where Postfix is not installed yet.
postfix_default = $(or $(shell $(POSTCONF) -dh $(1) 2>/dev/null),$(2))
COMMAND_DIRECTORY := $(call postfix_default,command_directory,/usr/sbin)
DAEMON_DIRECTORY  := $(call postfix_default,daemon_directory,/usr/lib/postfix/sbin)
DATA_DIRECTORY    := $(call postfix_default,data_directory,/var/lib/postfix)
MAIL_OWNER        := $(call postfix_default,mail_owner,postfix)
META_DIRECTORY    := $(call postfix_default,meta_directory,/etc/postfix)
QUEUE_DIRECTORY   := $(call postfix_default,queue_directory,/var/spool/postfix)
SETGID_GROUP      := $(call postfix_default,setgid_group,postdrop)
SHLIB_DIRECTORY   := $(call postfix_default,shlib_directory,/usr/lib/postfix)

VERSION_FALLBACK = 0.1.0
VERSION := $(or $(shell git describe --tags --dirty 2>/dev/null | sed 's/^v//'),$(VERSION_FALLBACK))

LUA_CFLAGS := $(shell pkg-config --cflags lua5.4)
LUA_LIBS   := $(shell pkg-config --libs lua5.4)

WARNINGS = -std=c11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wvla -Wimplicit-fallthrough
HARDENING = -D_FORTIFY_SOURCE=2 -fstack-protector-strong
ALL_CFLAGS = $(WARNINGS) $(HARDENING) -fPIC -fvisibility=hidden -MMD -MP -I$(BUILD) -Isrc $(LUA_CFLAGS) $(CFLAGS)

HOST_SOURCES = src/main.c src/prompt.c
CORE_SOURCES = $(sort $(filter-out $(HOST_SOURCES),$(wildcard src/*.c)))
CORE_OBJECTS = $(CORE_SOURCES:src/%.c=$(BUILD)/%.o)
HOST_OBJECTS = $(HOST_SOURCES:src/%.c=$(BUILD)/%.o)
LUA_FILES    = $(sort $(shell cd lua && find . -name '*.lua' | sed 's,^\./,,'))
MAN_PAGES    = $(sort $(wildcard docs/man/*.[1-8]))

# Linked as they are, with the tree's own paths; everything else asks build.h.
PROGRAMS = $(BUILD)/postmulti-lua $(BUILD)/postmulti/core.so

.PHONY: all core check lint install uninstall clean help FORCE
all: $(PROGRAMS) $(BUILD)/postmulti

core: $(BUILD)/postmulti/core.so

# build.h holds the settings; it changes, and with it what includes it, only when they do.
define BUILD_H
#define BUILD_VERSION "$(VERSION)"
#define BUILD_PREFIX "$(PREFIX)"
#define BUILD_SHAREDIR "$(SHAREDIR)"
#define BUILD_SYSCONFDIR "$(SYSCONFDIR)"
#define BUILD_LUADIR "$(LUADIR)"
#define BUILD_LUACDIR "$(LUACDIR)"
#define BUILD_CONFIG_DIRECTORY "$(CONFIG_DIRECTORY)"
#define BUILD_COMMAND_DIRECTORY "$(COMMAND_DIRECTORY)"
#define BUILD_DAEMON_DIRECTORY "$(DAEMON_DIRECTORY)"
#define BUILD_DATA_DIRECTORY "$(DATA_DIRECTORY)"
#define BUILD_MAIL_OWNER "$(MAIL_OWNER)"
#define BUILD_META_DIRECTORY "$(META_DIRECTORY)"
#define BUILD_QUEUE_DIRECTORY "$(QUEUE_DIRECTORY)"
#define BUILD_SETGID_GROUP "$(SETGID_GROUP)"
#define BUILD_SHLIB_DIRECTORY "$(SHLIB_DIRECTORY)"
endef
export BUILD_H

$(BUILD)/build.h: FORCE
	@mkdir -p $(BUILD)/postmulti
	@printf '%s\n' "$$BUILD_H" >$@.new; \
	if cmp -s $@.new $@; then rm -f $@.new; else mv $@.new $@; fi

$(BUILD)/%.o: src/%.c $(BUILD)/build.h
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/postmulti/core.so: $(CORE_OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -o $@ $^

$(BUILD)/postmulti-lua: $(HOST_OBJECTS) $(CORE_OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) -Wl,-E -o $@ $^ $(LUA_LIBS)

$(BUILD)/postmulti: scripts/postmulti $(BUILD)/build.h
	sed '1s,^#!.*,#!$(BINDIR)/postmulti-lua,' scripts/postmulti >$@
	chmod 755 $@

clean:
	rm -rf $(BUILD)

-include $(CORE_OBJECTS:.o=.d) $(HOST_OBJECTS:.o=.d)
