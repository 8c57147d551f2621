#!/bin/sh
# Generates the logs that the tests use if they exist.
#
#   corpus/make.sh                        with the GHC on the PATH
#   corpus/make.sh LABEL=PREFIX...        with several: PREFIX is put before
#                                         every command, so that compiler and
#                                         programs can be in another root
#
# For instance `corpus/make.sh 9.0.2= 9.6.6='in-root trixie'`. The programs are
# built in $BUILD (a directory that all roots see), logs go to corpus/logs, and
# what the ghc-events library counts in them to corpus/logs/counts.txt if a GHC
# with that library is on the PATH.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
logs=$here/logs
build=${BUILD:-${TMPDIR:-/tmp}/eventlog-corpus}
mkdir -p "$logs" "$build"
[ $# -gt 0 ] || set -- "$(ghc --numeric-version)="

# compile LABEL WAY PROGRAM FLAGS...: build/LABEL/WAY-PROGRAM
compile() {
  label=$1 way=$2 program=$3
  shift 3
  dir=$build/$label/$way.o
  mkdir -p "$dir"
  cp "$here/$program.hs" "$build/$label/"
  (cd "$build/$label" && $prefix ghc -v0 -O1 -rtsopts -outputdir "$dir-$program" "$@" \
    -o "$way-$program" "$program.hs") || echo "not built: $label $way $program" >&2
}

# log LABEL NAME WAY PROGRAM ARGS...: logs/LABEL-NAME.eventlog
log() {
  label=$1 name=$2 way=$3 program=$4
  shift 4
  out=$label-$name.eventlog
  rm -f "$build/$label/$out" "$logs/$out"
  [ -x "$build/$label/$way-$program" ] || return 0
  (cd "$build/$label" && $prefix "./$way-$program" "$@" -ol"$out" >/dev/null 2>"$out.err") ||
    echo "failed: $label $name ($(tail -n 1 "$build/$label/$out.err"))" >&2
  [ ! -s "$build/$label/$out" ] || cp "$build/$label/$out" "$logs/"
}

for root; do
  label=${root%%=*} prefix=${root#*=}
  mkdir -p "$build/$label"
  # From 9.4 on every way has the eventlog, and the flag is ignored.
  for program in Mix Heap Messages Killed Caps Hello; do
    compile "$label" thr $program -threaded -eventlog
  done
  compile "$label" plain Hello -eventlog
  compile "$label" plain Mix -eventlog
  compile "$label" prof Heap -prof -fprof-auto-top -eventlog
  compile "$label" ticky Heap -ticky -debug -eventlog
  case $label in
    9.0*) ;;
    *)
      compile "$label" ipe Heap -threaded -finfo-table-map -fdistinct-constructor-tables
      compile "$label" ipe Hello -threaded -finfo-table-map
      ;;
  esac

  log "$label" hello thr Hello +RTS -l
  log "$label" hello-plain plain Hello +RTS -l
  log "$label" mix thr Mix 6 4 150 +RTS -N2 -l
  log "$label" mix-plain plain Mix 4 3 50 +RTS -l
  log "$label" mix-all thr Mix 3 3 50 +RTS -N2 -la
  log "$label" messages thr Messages 3000 utf8 +RTS -l
  log "$label" messages-raw thr Messages 3000 raw +RTS -l
  log "$label" caps thr Caps +RTS -l
  log "$label" heap-T thr Heap 60 20000 +RTS -N2 -l -hT -i0.01
  log "$label" nonmoving thr Heap 30 20000 +RTS -N2 -lau -ln -xn
  for how in c m d y r b; do
    log "$label" heap-$how prof Heap 30 20000 +RTS -l -h$how -i0.02
  done
  log "$label" time prof Heap 60 20000 +RTS -l -p
  log "$label" ticky ticky Heap 2 200 +RTS -lT
  log "$label" hello-ipe ipe Hello +RTS -l
  log "$label" ipe ipe Heap 30 20000 +RTS -l -hi -i0.01
  case $label in
    9.0*) ;;
    *) log "$label" flush thr Mix 6 4 150 +RTS -N2 -l --eventlog-flush-interval=0.005 ;;
  esac

  # A program that is killed while it writes: as soon as its log is long enough, however slow the
  # machine is. The first megabytes are enough, cut anywhere.
  out=$label-killed.eventlog
  rm -f "$build/$label/$out" "$logs/$out"
  if [ -x "$build/$label/thr-Killed" ]; then
    # shellcheck disable=SC2016 # the inner shell, which may be in another root, expands it
    (cd "$build/$label" && $prefix sh -c '
      "./thr-Killed" +RTS -N2 -l -ol"$0" &
      tries=0
      until [ "$(wc -c <"$0" || echo 0)" -ge 3000000 ] || [ $tries -ge 1200 ]; do
        tries=$((tries + 1))
        sleep 0.1
      done
      kill -KILL $!
      wait' "$out" >/dev/null 2>&1) || :
    if [ "$(wc -c <"$build/$label/$out")" -ge 3000000 ]; then
      head -c 3000000 "$build/$label/$out" >"$logs/$out"
    else
      echo "failed: $label killed (its log did not reach 3 MB in two minutes)" >&2
    fi
  fi
done

# What the ghc-events library counts, if it is installed.
if ghc-pkg list --simple-output ghc-events 2>/dev/null | grep -q ghc-events; then
  ghc -v0 -O1 -outputdir "$build/count.o" -o "$build/count-events" "$here/CountEvents.hs"
  : >"$logs/counts.txt"
  for file in "$logs"/*.eventlog; do
    count=$("$build/count-events" "$file" 2>&1 | head -n 1) || :
    echo "$(basename "$file" .eventlog) $count" >>"$logs/counts.txt"
  done
fi
ls "$logs" | wc -l
