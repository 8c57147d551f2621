# Makefile - build, install and package the library and the command line.
#
#   make                    the library, static and shared, and `eventlog`
#   make install            all of it: install-library and install-tools
#   make install-library    the library, the header, the RTS part, the Haskell packages'
#                           sources, and a pkg-config file
#   make install-tools      `eventlog`, its manual pages, and completions
#   make uninstall          removes what install has installed; takes the same variables
#   make dist               an archive of the stripped `eventlog` with its documents
#   make check              scripts/package-test
#
# Needs cargo, rustc and GNU binutils; dist also GNU tar.

PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
DATADIR = $(PREFIX)/share
PKGCONFIGDIR = $(LIBDIR)/pkgconfig
RTSDIR = $(DATADIR)/eventlog-socket
HASKELLDIR = $(RTSDIR)/haskell
MANDIR = $(DATADIR)/man
BASHDIR = $(DATADIR)/bash-completion/completions
ZSHDIR = $(DATADIR)/zsh/site-functions
FISHDIR = $(DATADIR)/fish/vendor_completions.d
# Put before all of these when a package is built.
DESTDIR =

CARGO = cargo
# For instance --locked.
CARGOFLAGS =
RUSTC = rustc
LD = ld
OBJCOPY = objcopy
AR = ar
STRIP = strip
INSTALL = install

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
# As in the soname, which ffi/build.rs sets.
ABI := $(firstword $(subst ., ,$(VERSION)))

TARGET = $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
RELEASE = $(TARGET)/release
OUT = $(TARGET)/package
STATIC = $(OUT)/libeventlog_socket.a
SHARED = $(OUT)/libeventlog_socket.so.$(VERSION)
NATIVE_LIBS = $(OUT)/native-libs
# The command line. An existing program can be named here.
EVENTLOG_PROGRAM ?= $(RELEASE)/eventlog
TEXTS = $(OUT)/texts
DIST = $(TARGET)/dist

# Cargo decides which of them matter. Without a change cargo is not called at all: root,
# who installs, may not have cargo.
SOURCES := $(shell find . -name target -prune -o \
	'(' -name '*.rs' -o -name 'Cargo.*' ')' -print)

all: library tools
library: $(STATIC) $(SHARED) $(NATIVE_LIBS)
tools: $(TEXTS)/made

$(OUT)/built: $(SOURCES)
	mkdir -p $(OUT)
	$(CARGO) build --release -p eventlog-socket $(CARGOFLAGS)
	touch $@

# Cargo's archive contains Rust's standard library, with all its symbols visible. Here
# it becomes one object with the API as its only global symbols, so that a program may
# link another Rust library, too:
#   -u          one object of the archive has the whole API, and pulls in what it needs
#   --force-group-allocation
#               otherwise the linker uses the groups of the other library instead of
#               ours, and our local symbols cannot be resolved
#   .llvm*      bitcode, which makes binutils look for LLVM
# Sections are kept separate, for the linker's --gc-sections; debug information, three
# quarters of the size, is only that of the standard library.
$(STATIC): $(OUT)/built Makefile
	$(LD) -r -u EventLogSocketWriter --force-group-allocation \
		-o $(OUT)/eventlog_socket.o $(RELEASE)/libeventlog_socket.a
	$(OBJCOPY) --strip-debug -R .llvmbc -R .llvmcmd --wildcard \
		--keep-global-symbol='eventlog_socket_*' \
		--keep-global-symbol=EventLogSocketWriter \
		--keep-global-symbol=SocketEventLogWriter $(OUT)/eventlog_socket.o
	rm -f $@
	$(AR) rcsD $@ $(OUT)/eventlog_socket.o

$(SHARED): $(OUT)/built
	cp $(RELEASE)/libeventlog_socket.so $@

# The other libraries that a static library needs, as the compiler prints them for an
# empty one. The C compiler adds -lgcc_s and -lc itself, under the right names also for a
# static program.
$(NATIVE_LIBS): $(OUT)/built Makefile
	$(RUSTC) --crate-type staticlib --crate-name empty --print native-static-libs \
		-o $(OUT)/empty.a - </dev/null 2>$@.all || { cat $@.all >&2; exit 1; }
	sed -n -e 's/ -lgcc_s\>//' -e 's/ -lc\>//' \
		-e 's/^note: native-static-libs: *//p' $@.all >$@
	rm -f $(OUT)/empty.a $@.all
	test -s $@

$(RELEASE)/eventlog: $(SOURCES)
	$(CARGO) build --release -p eventlog-cli $(CARGOFLAGS)
	touch $@

# Manual pages and completions, which the program generates from its own arguments.
$(TEXTS)/made: $(EVENTLOG_PROGRAM) Makefile
	rm -rf $(TEXTS)
	mkdir -p $(TEXTS)/bash $(TEXTS)/zsh $(TEXTS)/fish
	$(EVENTLOG_PROGRAM) man $(TEXTS)/man
	$(EVENTLOG_PROGRAM) completions bash >$(TEXTS)/bash/eventlog
	$(EVENTLOG_PROGRAM) completions zsh >$(TEXTS)/zsh/_eventlog
	$(EVENTLOG_PROGRAM) completions fish >$(TEXTS)/fish/eventlog.fish
	touch $@

# Every file that is installed is listed here, for uninstall. Entries of an earlier
# install stay in the list.
INSTALLED = $(RTSDIR)/installed

# $(call put,MODE,DIRECTORY,FILES): installs the files, which may be patterns of the shell.
# Everybody can read the directories, whatever the umask is.
put = umask 022 && mkdir -p "$(DESTDIR)$(2)" "$(DESTDIR)$(RTSDIR)" && \
	for file in $(3); do \
	  $(INSTALL) -m $(1) "$$file" "$(DESTDIR)$(2)" && $(call list,$(2)/$$(basename "$$file")) || exit 1; \
	done
# $(call link,TARGET,FILE)
link = ln -sf $(1) "$(DESTDIR)$(2)" && $(call list,$(2))
list = printf '%s\n' "$(1)" >>"$(DESTDIR)$(INSTALLED)"
# Each file is in the list once; the list itself is removed last.
listed = LC_ALL=C sort -u -o "$(DESTDIR)$(INSTALLED)" "$(DESTDIR)$(INSTALLED)" && \
	chmod 644 "$(DESTDIR)$(INSTALLED)"

install: install-library install-tools

below_prefix = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))

install-library: library
	@echo "installing the library in $(DESTDIR)$(LIBDIR)"
	@$(call put,644,$(LIBDIR),$(STATIC))
	@$(call put,755,$(LIBDIR),$(SHARED))
	@$(call link,libeventlog_socket.so.$(VERSION),$(LIBDIR)/libeventlog_socket.so.$(ABI))
	@$(call link,libeventlog_socket.so.$(ABI),$(LIBDIR)/libeventlog_socket.so)
	@$(call put,644,$(INCLUDEDIR),include/eventlog_socket.h)
	@$(call put,644,$(RTSDIR),ffi/rts/eventlog_socket_rts.c ffi/rts/eventlog_socket_rts.h)
	@for folder in $$(cd haskell && find eventlog-socket eventlog-socket-control eventlog-span \
	    -name 'dist*' -prune -o -type d -print); do \
	  for file in haskell/$$folder/*; do \
	    case $$file in *.o | *.hi | *.eventlog | *'*') continue ;; esac; \
	    [ -f "$$file" ] || continue; \
	    $(call put,644,$(HASKELLDIR)/$$folder,$$file) || exit 1; \
	  done || exit 1; \
	done
	@sed -e 's|@PREFIX@|$(PREFIX)|' \
		-e 's|@LIBDIR@|$(call below_prefix,$(LIBDIR))|' \
		-e 's|@INCLUDEDIR@|$(call below_prefix,$(INCLUDEDIR))|' \
		-e 's|@RTSDIR@|$(call below_prefix,$(RTSDIR))|' \
		-e 's|@HASKELLDIR@|$(call below_prefix,$(HASKELLDIR))|' \
		-e 's|@VERSION@|$(VERSION)|' \
		-e "s|@NATIVE_LIBS@|$$(cat $(NATIVE_LIBS))|" \
		ffi/eventlog_socket.pc.in | \
	{ umask 022 && mkdir -p "$(DESTDIR)$(PKGCONFIGDIR)" && \
	  cat >"$(DESTDIR)$(PKGCONFIGDIR)/eventlog_socket.pc"; }
	@chmod 644 "$(DESTDIR)$(PKGCONFIGDIR)/eventlog_socket.pc"
	@$(call list,$(PKGCONFIGDIR)/eventlog_socket.pc)
	@$(listed)

install-tools: tools
	@echo "installing eventlog in $(DESTDIR)$(BINDIR)"
	@$(call put,755,$(BINDIR),$(EVENTLOG_PROGRAM))
	@$(call put,644,$(MANDIR)/man1,$(TEXTS)/man/*.1)
	@$(call put,644,$(BASHDIR),$(TEXTS)/bash/eventlog)
	@$(call put,644,$(ZSHDIR),$(TEXTS)/zsh/_eventlog)
	@$(call put,644,$(FISHDIR),$(TEXTS)/fish/eventlog.fish)
	@$(listed)

# Removes only what is in the list, and our own directories.
uninstall:
	@[ ! -e "$(DESTDIR)$(INSTALLED)" ] || { \
	  while IFS= read -r file; do rm -f "$(DESTDIR)$$file"; done <"$(DESTDIR)$(INSTALLED)"; \
	  rm -f "$(DESTDIR)$(INSTALLED)"; \
	  find "$(DESTDIR)$(RTSDIR)" -depth -type d -empty -exec rmdir {} ';'; \
	}

SYSTEM = $(shell $(RUSTC) -vV | sed -n 's/^host: //p')
NAME = eventlog-$(VERSION)-$(SYSTEM)

# Reproducible: the same files give the same bytes.
dist: tools
	@rm -rf "$(DIST)/$(NAME)"
	@umask 022 && mkdir -p "$(DIST)/$(NAME)/completions" "$(DIST)/$(NAME)/man"
	@cp README.md CHANGELOG.md LICENSE "$(DIST)/$(NAME)"
	@cp -R docs "$(DIST)/$(NAME)"
	@cp $(TEXTS)/man/*.1 "$(DIST)/$(NAME)/man"
	@cp $(TEXTS)/bash/eventlog "$(DIST)/$(NAME)/completions/eventlog.bash"
	@cp $(TEXTS)/zsh/_eventlog $(TEXTS)/fish/eventlog.fish "$(DIST)/$(NAME)/completions"
	@cp $(EVENTLOG_PROGRAM) "$(DIST)/$(NAME)/eventlog"
	@$(STRIP) "$(DIST)/$(NAME)/eventlog"
	@chmod -R u=rwX,go=rX "$(DIST)/$(NAME)"
	@tar -c -C "$(DIST)" --sort=name --owner=0 --group=0 --numeric-owner \
		--mtime=@0 "$(NAME)" | gzip -9n >"$(DIST)/$(NAME).tar.gz"
	@echo "$(DIST)/$(NAME).tar.gz: $$(wc -c <"$(DIST)/$(NAME).tar.gz") bytes;" \
		"eventlog in it, stripped: $$(wc -c <"$(DIST)/$(NAME)/eventlog") bytes"

check:
	scripts/package-test

.DELETE_ON_ERROR:
.PHONY: all library tools install install-library install-tools uninstall dist check
