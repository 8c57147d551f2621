# Makefile - build and install the library.
#
#   make             the library, static and shared
#   make install     both, the header, the RTS part and a pkg-config file
#   make uninstall   removes them; takes the same variables as install
#   make check       scripts/package-test
#
# Needs cargo, rustc and GNU binutils.

PREFIX = /usr/local
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
DATADIR = $(PREFIX)/share
PKGCONFIGDIR = $(LIBDIR)/pkgconfig
RTSDIR = $(DATADIR)/eventlog-socket
# What stands before all of these while a package is made.
DESTDIR =

CARGO = cargo
# For instance --locked.
CARGOFLAGS =
RUSTC = rustc
LD = ld
OBJCOPY = objcopy
AR = ar
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

# Whether one of them matters is for cargo to say. Without a change cargo is not
# called at all: root, who installs, may have none.
SOURCES := $(shell find . -name target -prune -o \
	'(' -name '*.rs' -o -name 'Cargo.*' ')' -print)

all: $(STATIC) $(SHARED) $(NATIVE_LIBS)

$(OUT)/built: $(SOURCES)
	mkdir -p $(OUT)
	$(CARGO) build --release -p eventlog-socket $(CARGOFLAGS)
	touch $@

# Cargo's archive has Rust's standard library with it, all of it visible. Here it
# becomes one object with the API as its only global symbols, so that a program
# may link another Rust library, too:
#   -u          one object of the archive has the whole API; it brings what it needs
#   --force-group-allocation
#               else the linker takes the groups of the other library for ours,
#               which our local symbols cannot reach
#   .llvm*      bitcode, which makes binutils look for LLVM
# Sections stay apart, for the linker's --gc-sections; debug information, three
# quarters of the size, is the standard library's alone.
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

# What a static library needs besides, told by the compiler for an empty one. The C
# compiler adds -lgcc_s and -lc itself, and knows what they are called in a static
# program.
$(NATIVE_LIBS): $(OUT)/built Makefile
	$(RUSTC) --crate-type staticlib --crate-name empty --print native-static-libs \
		-o $(OUT)/empty.a - </dev/null 2>$@.all || { cat $@.all >&2; exit 1; }
	sed -n -e 's/ -lgcc_s\>//' -e 's/ -lc\>//' \
		-e 's/^note: native-static-libs: *//p' $@.all >$@
	rm -f $(OUT)/empty.a $@.all
	test -s $@

below_prefix = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))

install: all
	mkdir -p "$(DESTDIR)$(LIBDIR)" "$(DESTDIR)$(INCLUDEDIR)" \
		"$(DESTDIR)$(RTSDIR)" "$(DESTDIR)$(PKGCONFIGDIR)"
	$(INSTALL) -m 644 $(STATIC) "$(DESTDIR)$(LIBDIR)"
	$(INSTALL) -m 755 $(SHARED) "$(DESTDIR)$(LIBDIR)"
	ln -sf libeventlog_socket.so.$(VERSION) \
		"$(DESTDIR)$(LIBDIR)/libeventlog_socket.so.$(ABI)"
	ln -sf libeventlog_socket.so.$(ABI) "$(DESTDIR)$(LIBDIR)/libeventlog_socket.so"
	$(INSTALL) -m 644 include/eventlog_socket.h "$(DESTDIR)$(INCLUDEDIR)"
	$(INSTALL) -m 644 ffi/rts/eventlog_socket_rts.c ffi/rts/eventlog_socket_rts.h \
		"$(DESTDIR)$(RTSDIR)"
	sed -e 's|@PREFIX@|$(PREFIX)|' \
		-e 's|@LIBDIR@|$(call below_prefix,$(LIBDIR))|' \
		-e 's|@INCLUDEDIR@|$(call below_prefix,$(INCLUDEDIR))|' \
		-e 's|@RTSDIR@|$(call below_prefix,$(RTSDIR))|' \
		-e 's|@VERSION@|$(VERSION)|' \
		-e "s|@NATIVE_LIBS@|$$(cat $(NATIVE_LIBS))|" \
		ffi/eventlog_socket.pc.in >"$(DESTDIR)$(PKGCONFIGDIR)/eventlog_socket.pc"
	chmod 644 "$(DESTDIR)$(PKGCONFIGDIR)/eventlog_socket.pc"

uninstall:
	rm -f "$(DESTDIR)$(LIBDIR)/libeventlog_socket.a" \
		"$(DESTDIR)$(LIBDIR)/libeventlog_socket.so" \
		"$(DESTDIR)$(LIBDIR)/libeventlog_socket.so.$(ABI)" \
		"$(DESTDIR)$(LIBDIR)/libeventlog_socket.so.$(VERSION)" \
		"$(DESTDIR)$(INCLUDEDIR)/eventlog_socket.h" \
		"$(DESTDIR)$(RTSDIR)/eventlog_socket_rts.c" \
		"$(DESTDIR)$(RTSDIR)/eventlog_socket_rts.h" \
		"$(DESTDIR)$(PKGCONFIGDIR)/eventlog_socket.pc"
	-rmdir "$(DESTDIR)$(RTSDIR)"

check:
	scripts/package-test

.DELETE_ON_ERROR:
.PHONY: all install uninstall check
