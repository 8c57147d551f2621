#!/bin/sh
# Runs the models of eventlog-ring, then the negative controls: builds of the ring with one thing broken on purpose,
# of each of which a model must complain.
#
#   loom-tests/run.sh [short|full]     short: up to 3 preemptions; full: 4, and models of two threads without bound
set -eu

cd "$(dirname "$0")/.."
mode=${1:-short}
case $mode in
    short) bound=3 ;;
    full) bound=4 ;;
    *) echo "usage: $0 [short|full]" >&2; exit 2 ;;
esac

# A directory of its own, so that the other builds stay; no link-time optimisation, which only costs time here.
target=${CARGO_TARGET_DIR:-target}/loom
export CARGO_TARGET_DIR="$target"
export CARGO_PROFILE_RELEASE_LTO=false
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
export RUSTFLAGS="${RUSTFLAGS:-} --cfg loom -C debug-assertions"
export LOOM_MAX_BRANCHES="${LOOM_MAX_BRANCHES:-10000}"

# models PREEMPTIONS ARG...: runs models; no bound if PREEMPTIONS is empty.
models() {
    (
        unset LOOM_MAX_PREEMPTIONS
        if [ -n "$1" ]; then
            export LOOM_MAX_PREEMPTIONS="$1"
        fi
        shift
        exec cargo test --quiet --package loom-tests --release "$@"
    )
}

echo "models, at most $bound preemptions"
models "$bound"

if [ "$mode" = full ]; then
    echo "models of two threads, any number of preemptions"
    models "" --test spsc
    models "" --test sessions -- with_one_producer closing_keeps
    models "" --test doorbell -- one_producer
    models "" --test losses -- passes_its_note_on
    models "" --test mpsc -- aborted_record
fi

# The bug goes to the crates of this workspace alone, so that loom is not built again for each of them.
mkdir -p "$target/bugs"
target=$(cd "$target" && pwd)

# control BUG TEST FILTER: with BUG in the ring, the model must fail.
control() {
    wrapper=$target/bugs/$1
    printf '#!/bin/sh\nexec "$@" --cfg '"'"'ring_bug="%s"'"'"'\n' "$1" >"$wrapper"
    chmod +x "$wrapper"
    log=$target/bugs/$1.log
    export RUSTC_WORKSPACE_WRAPPER="$wrapper"
    # It must build: a failure to compile proves nothing.
    models 3 --test "$2" --no-run
    if models 3 --test "$2" -- "$3" >"$log" 2>&1; then
        echo "control $1: the model '$3' did not notice" >&2
        exit 1
    fi
    if ! grep -q "panicked at" "$log"; then
        echo "control $1: failed for another reason, see $log" >&2
        exit 1
    fi
    echo "control $1: noticed"
}

control relaxed_commit spsc records_wrap
control relaxed_head spsc records_wrap
control kept_header spsc records_wrap
control relaxed_head_cache mpsc room_is_reused
control late_stamp sessions next_session
control blind_take losses swallows_no_new_loss
control no_doorbell_fence doorbell one_producer
echo "all models hold, all controls were noticed"
