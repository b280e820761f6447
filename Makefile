# postmulti-lua - `make help` lists the targets

# Settings; each may be given on the command line.
PREFIX           = /usr/local
BINDIR           = $(PREFIX)/bin
SBINDIR          = $(PREFIX)/sbin
MANDIR           = $(PREFIX)/share/man
SHAREDIR         = $(PREFIX)/share/postmulti
COMPLETIONDIR    = $(PREFIX)/share/bash-completion/completions
ZSHDIR           = $(PREFIX)/share/zsh/site-functions
LUADIR           = $(PREFIX)/share/lua/5.4
LUACDIR          = $(PREFIX)/lib/lua/5.4
SYSCONFDIR       = /etc
CONFIG_DIRECTORY = /etc/postfix
DESTDIR          =
BUILD            = build

CC       = cc
CFLAGS   = -O2 -g
POSTCONF = $(firstword $(wildcard /usr/sbin/postconf) postconf)
LUA      = lua5.4

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
GIT      = git -c safe.directory='*'
VERSION := $(or $(shell $(GIT) describe --tags --dirty 2>/dev/null | sed 's/^v//'),$(VERSION_FALLBACK))

LUA_CFLAGS := $(shell pkg-config --cflags lua5.4)
LUA_LIBS   := $(shell pkg-config --libs lua5.4)

WARNINGS = -std=c11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wvla -Wimplicit-fallthrough
HARDENING = -D_FORTIFY_SOURCE=2 -fstack-protector-strong
ALL_CFLAGS = $(WARNINGS) $(HARDENING) -pthread -fPIC -fvisibility=hidden -MMD -MP -I$(BUILD) -Isrc $(LUA_CFLAGS) $(CFLAGS)

HOST_SOURCES = src/main.c src/loader.c src/pool.c src/prompt.c src/thin.c
CORE_SOURCES = $(sort $(filter-out $(HOST_SOURCES),$(wildcard src/*.c)))
CORE_OBJECTS = $(CORE_SOURCES:src/%.c=$(BUILD)/%.o)
HOST_OBJECTS = $(HOST_SOURCES:src/%.c=$(BUILD)/%.o)
LUA_FILES    = $(sort $(shell cd lua && find . -name '*.lua' | sed 's,^\./,,'))
SHARE_FILES  = $(sort $(shell [ ! -d share ] || (cd share && find . -type f | sed 's,^\./,,')))
MAN_PAGES    = $(sort $(wildcard docs/man/*.[1-8])) $(BUILD)/postmulti-api.7

# The suites of the tests, in the order in which `make check` runs them.
SUITES          = unit fault outside power parity system compat
FAULT_SOURCES   = $(sort $(wildcard tests/fault/*.c))
FAULT_PROGRAMS  = $(FAULT_SOURCES:tests/fault/%.c=$(BUILD)/fault/%)
PARITY_SCRIPTS  = $(sort $(wildcard tests/compat/*_parity tests/compat/*_parity.lua))
SHELL_FILES     = $(sort scripts/completion.bash \
	$(shell grep -lE '^\#!/bin/(ba)?sh' .ci/run scripts/* $$(find tests -type f) 2>/dev/null))
LUA_SOURCES     = $(sort lua scripts/compile scripts/manual scripts/postmulti $(wildcard docs/*.lua examples) $(wildcard tests))
TIDY_STAMPS     = $(patsubst src/%.c,$(BUILD)/tidy/%,$(CORE_SOURCES) $(HOST_SOURCES))

# How Lua finds the tree instead of an installation.
TREE_PATH  = lua/?.lua;lua/?/init.lua
TREE_CPATH = $(BUILD)/?.so
RUN_LUA    = $(SANITIZED) env LUA_PATH='$(TREE_PATH);;' LUA_CPATH='$(TREE_CPATH);;' $(LUA)
BUSTED     = $(RUN_LUA) $$(command -v busted) -o plainTerminal $(BUSTED_FLAGS)

# Linked as they are, with the tree's own paths; everything else asks build.h.
PROGRAMS = $(BUILD)/postmulti-lua $(BUILD)/postmulti/core.so

.PHONY: all core check $(SUITES) mutants torture fuzz fuzz-seeds stage asan ubsan lint lint-lua lint-c lint-shell \
	lint-man install uninstall dist clean help bench bench-ci bench-ir FORCE
all: $(PROGRAMS) $(BUILD)/postmulti.script $(BUILD)/compiled/stamp $(BUILD)/postmulti-api.7

core: $(BUILD)/postmulti/core.so

# build.h holds the settings; it changes, and with it what includes it, only when they do.
define BUILD_H
#define BUILD_VERSION "$(VERSION)"
#define BUILD_PREFIX "$(PREFIX)"
#define BUILD_BINDIR "$(BINDIR)"
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
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -shared -o $@ $^

$(BUILD)/postmulti-lua: $(HOST_OBJECTS) $(CORE_OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -Wl,-E -Wl,-z,noseparate-code -o $@ $^ $(LUA_LIBS)

# The command with the interpreter that is installed with it.
$(BUILD)/postmulti.script: scripts/postmulti $(BUILD)/build.h
	sed '1s,^#!.*,#!$(BINDIR)/postmulti-lua,' scripts/postmulti >$@
	chmod 755 $@

# The Lua modules once more, compiled: see src/loader.h.
$(BUILD)/compiled/stamp: $(LUA_FILES:%=lua/%) $(BUILD)/postmulti-lua scripts/compile
	$(BUILD)/postmulti-lua scripts/compile lua '$(LUADIR)' $(BUILD)/compiled $(LUA_FILES)
	@touch $@

# One page is written once, for readers of the source and of manuals.
$(BUILD)/postmulti-api.7: docs/api.md scripts/manual $(BUILD)/postmulti-lua
	$(BUILD)/postmulti-lua scripts/manual docs/api.md >$@.new && mv $@.new $@

# Tests. POSTMULTI_BUILD tells them which build is meant.
export POSTMULTI_BUILD = $(BUILD)

check: $(SUITES)

unit: all
	$(BUSTED) tests/unit

system: all
	$(BUSTED) tests/system

$(BUILD)/fault/%: tests/fault/%.c $(CORE_OBJECTS) $(BUILD)/loader.o $(BUILD)/pool.o $(BUILD)/thin.o
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(CORE_OBJECTS) $(BUILD)/loader.o $(BUILD)/pool.o $(BUILD)/thin.o $(LUA_LIBS)

# A program that plays the end of a process by longjmp leaves its memory allocated.
$(BUILD)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LUA_LIBS)

fault: $(FAULT_PROGRAMS)
	@for program in $^; do \
		echo "$$program"; \
		if grep -q 'longjmp(' "tests/fault/$${program##*/}.c"; then leaks=0; else leaks=1; fi; \
		ASAN_OPTIONS=detect_leaks=$$leaks $$program || exit 1; \
	done

# System calls of the whole command fail, and many of them run at once; as root.
outside: stage
	tests/fault/outside/run quick
	POINTS=6 tests/fault/outside/run memory
	tests/fault/outside/run race 8

# The whole command on a disk that loses its power; as root.
power: stage
	tests/fault/power/run quick

# The long runs of the above, and what takes hours: see docs/reliability.md.
torture: stage $(FAULT_PROGRAMS)
	tests/fault/outside/run all
	tests/fault/outside/run pairs
	tests/fault/outside/run disk
	POINTS=1000 tests/fault/outside/run memory
	tests/fault/outside/run race 60 10000
	tests/fault/power/run all
	$(BUILD)/fault/transaction_fault /dev/shm 240
	$(BUILD)/fault/tree_race 100000
	$(BUILD)/fault/preserve 100000
	$(MAKE) fuzz T=3600

# Coverage-guided, with clang: first the seeds as they are, then, T seconds for each target, new inputs made of them
# (see tests/fuzz/run; make fuzz T=0 RUNS=10000000 counts instead). A target is a C file or a Lua file, which lua.c
# runs. What takes time and finds nothing is left out: comparisons are not traced (the dictionaries stand for that),
# nor is the code of the targets. Expansion has smaller bounds, so that they are met often.
T            = 10
FUZZ_SOURCES = $(filter-out %/lua.c,$(wildcard tests/fuzz/*.c tests/fuzz/*.lua))
FUZZ         = $(sort $(basename $(notdir $(FUZZ_SOURCES))))
FUZZ_CFLAGS  = -std=gnu11 -g -O2 -Wall -Wextra -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -DEXPAND_RESULT='((size_t)65536)' -DEXPAND_LOOKUPS='((size_t)1000)' \
	-DEXPAND_WORK='((size_t)262144)' -I$(BUILD) -Isrc $(LUA_CFLAGS)
FUZZ_OBJECTS = $(CORE_SOURCES:src/%.c=$(BUILD)/fuzz/core/%.o)

$(BUILD)/fuzz/core/%.o: src/%.c $(wildcard src/*.h) $(BUILD)/build.h
	@mkdir -p $(@D)
	clang $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp -c -o $@ $<

$(BUILD)/fuzz/core.a: $(FUZZ_OBJECTS)
	@rm -f $@
	ar rc $@ $^

.PRECIOUS: $(BUILD)/fuzz/%.o
$(BUILD)/fuzz/%.o: tests/fuzz/%.c $(wildcard src/*.h tests/fuzz/*.h)
	@mkdir -p $(@D)
	clang $(FUZZ_CFLAGS) -c -o $@ $<

$(BUILD)/fuzz/%: $(BUILD)/fuzz/%.o $(BUILD)/fuzz/core.a
	clang $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LUA_LIBS)

$(BUILD)/fuzz/%: tests/fuzz/%.lua $(BUILD)/fuzz/lua.o $(BUILD)/fuzz/core.a
	clang $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $(filter-out %.lua,$^) $(LUA_LIBS)

fuzz: $(FUZZ:%=$(BUILD)/fuzz/%)
	@tests/fuzz/run $(BUILD)/fuzz $(T) $(FUZZ)

# The few new inputs that are worth to be kept.
fuzz-seeds: $(FUZZ:%=$(BUILD)/fuzz/%)
	tests/fuzz/run $(BUILD)/fuzz merge $(FUZZ)

parity: core
	@status=0; for script in $(PARITY_SCRIPTS); do echo "$$script"; $(RUN_LUA) $$script || status=1; done; exit $$status

# Side by side with the stock command: see tests/compat/run.
compat: stage
	tests/compat/run --ours $(BUILD)/stage

# Does the comparison see what it should see?
mutants: stage
	tests/compat/mutants

# The command in the stock one's place, for a sandbox.
stage: all
	@rm -rf $(BUILD)/stage
	@$(MAKE) -s install SBINDIR=/usr/sbin DESTDIR=$(CURDIR)/$(BUILD)/stage

# Times: see tests/bench/run. Costs that do not depend on the machine's mood: see tests/bench/ci.
N = 1000
bench: all
	tests/bench/run $(N) $(if $(REALTIME),-r)

bench-ir bench-ci: all $(BUILD)/bench/floor $(BUILD)/bench/measure
	tests/bench/ci $(if $(RECORD),--record) $(if $(filter bench-ir,$@),--instructions)

# A build of its own for each sanitizer. A stock interpreter needs the library loaded first; it does
# not give back everything at its end, so leaks are looked for in the programs of tests/fault only.
# AddressSanitizer itself does not work under a limit of memory, so that test is left out.
SANITIZE = $(MAKE) -k HARDENING= CFLAGS="-O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all $(1)"

asan:
	$(call SANITIZE,-fsanitize=address) BUILD=build/asan SANITIZED='env ASAN_OPTIONS=detect_leaks=0 \
		LD_PRELOAD=$(shell $(CC) -print-file-name=libasan.so)' BUSTED_FLAGS='--filter-out="errors of memory"' unit fault

ubsan:
	$(call SANITIZE,-fsanitize=undefined) BUILD=build/ubsan unit fault

lint: lint-lua lint-c lint-shell lint-man

lint-lua:
	luacheck -q --no-color $(LUA_SOURCES)

$(BUILD)/tidy/%: src/%.c $(BUILD)/build.h $(wildcard src/*.h) .clang-tidy
	@mkdir -p $(@D)
	clang-tidy --quiet $< -- -std=c11 -I$(BUILD) -Isrc $(LUA_CFLAGS) 2>$@.log || { cat $@.log; exit 1; }
	@touch $@

lint-c: $(TIDY_STAMPS)
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingIncludeSystem -I$(BUILD) -Isrc src $(wildcard tests/fault)

lint-shell:
	shellcheck -x $(SHELL_FILES)

lint-man: $(BUILD)/postmulti-api.7
	mandoc -Tlint -Wwarning $(MAN_PAGES)

# Installation. scripts/install keeps a record, so that uninstall is its exact inverse.
RUN_INSTALL = DESTDIR='$(DESTDIR)' BUILD='$(BUILD)' BINDIR='$(BINDIR)' SBINDIR='$(SBINDIR)' LUADIR='$(LUADIR)' \
	LUACDIR='$(LUACDIR)' MANDIR='$(MANDIR)' SHAREDIR='$(SHAREDIR)' COMPLETIONDIR='$(COMPLETIONDIR)' \
	ZSHDIR='$(ZSHDIR)' CONFIG_DIRECTORY='$(CONFIG_DIRECTORY)' \
	LUA_FILES='$(LUA_FILES)' MAN_PAGES='$(MAN_PAGES)' SHARE_FILES='$(SHARE_FILES)' sh scripts/install

install: all
	@$(RUN_INSTALL) install

uninstall:
	@$(RUN_INSTALL) uninstall

dist:
	@mkdir -p $(BUILD)
	$(GIT) archive --prefix=postmulti-lua-$(VERSION)/ HEAD | gzip -n9 >$(BUILD)/postmulti-lua-$(VERSION).tar.gz

clean:
	rm -rf build

help:
	@echo 'all        build the host, the C module and the command (default)'
	@echo 'check      all tests: $(SUITES); each is a target of its own'
	@echo 'torture    the long runs of the fault tests: hours'
	@echo 'fuzz       hostile input for whatever reads some: T=$(T) seconds each, or RUNS inputs (clang)'
	@echo 'asan ubsan the tests of the C core under a sanitizer'
	@echo 'bench      measure against the floor, the stock command and its peers, with N=$(N) instances'
	@echo 'bench-ci   instructions, processes and system calls against those recorded; bench-ir: instructions'
	@echo 'lint       luacheck, clang-tidy, cppcheck, shellcheck, mandoc'
	@echo 'install    into PREFIX=$(PREFIX); SBINDIR=/usr/sbin replaces the stock postmulti'
	@echo 'uninstall  take away what install put there, and bring the stock postmulti back'
	@echo 'dist       a source archive below $(BUILD)'
	@echo 'clean      remove what was built'
	@echo 'Settings: PREFIX BINDIR SBINDIR MANDIR SHAREDIR COMPLETIONDIR ZSHDIR LUADIR LUACDIR'
	@echo '          SYSCONFDIR CONFIG_DIRECTORY DESTDIR BUILD CC CFLAGS LDFLAGS'

-include $(CORE_OBJECTS:.o=.d) $(HOST_OBJECTS:.o=.d)
