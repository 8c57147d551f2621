#!/bin/sh
# Runs the models of eventlog-ring, then the controls: builds of the ring with one thing broken on purpose. For each
# of them a model must fail.
#
#   loom-tests/run.sh [short|full]     short: up to 3 preemptions; full: 4, and without bound where that ends soon
#
# Prints how many executions each model took.
set -eu

cd "$(dirname "$0")/.."
mode=${1:-short}
case $mode in
    short) bound=3 ;;
    full) bound=4 ;;
    *) echo "usage: $0 [short|full]" >&2; exit 2 ;;
esac

# A directory of its own, so that other builds are kept; no link-time optimisation, which only costs time here.
mkdir -p "${CARGO_TARGET_DIR:-target}/loom"
target=$(cd "${CARGO_TARGET_DIR:-target}/loom" && pwd)
export CARGO_TARGET_DIR="$target"
export CARGO_PROFILE_RELEASE_LTO=false
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
export RUSTFLAGS="${RUSTFLAGS:-} --cfg loom -C debug-assertions"
export LOOM_MAX_BRANCHES="${LOOM_MAX_BRANCHES:-10000}"
log=$target/log

# builds: builds the tests; prints one line for each, its name and its program.
builds() {
    cargo test --package loom-tests --release --no-run --color never 2>"$log" || { cat "$log" >&2; exit 1; }
    sed -n 's/^ *Executable tests\/\(.*\)\.rs (\(.*\))$/\1 \2/p' "$log"
}

# models PREEMPTIONS PROGRAM ARG...: runs models; no bound if PREEMPTIONS is empty.
models() {
    (
        unset LOOM_MAX_PREEMPTIONS RING_BUG
        [ -z "$1" ] || export LOOM_MAX_PREEMPTIONS="$1"
        shift
        if ! "$@" --nocapture >"$log" 2>&1; then
            cat "$log" >&2
            exit 1
        fi
        grep -o '[a-z_]*: [0-9]* executions, .*' "$log" | sed 's/^/    /'
    )
}

# ------------------------------------------------------------------ models --

builds >"$target/programs"
[ -s "$target/programs" ] || { echo "no models" >&2; exit 1; }
echo "models, at most $bound preemptions"
while read -r _ program; do
    models "$bound" "$program"
done <"$target/programs"

if [ "$mode" = full ]; then
    echo "models of two threads, any number of preemptions"
    while read -r name program; do
        case $name in
            spsc) set -- records_wrap ;;
            mpsc) set -- aborted_record ;;
            doorbell) set -- one_producer a_sleeper ;;
            losses) set -- passes_its_note_on ;;
            reentrant) set -- own_pushes ;;
            recorder) set -- lone_push from_outside in_the_making two_that_make within_a_push ;;
            sessions) set -- with_one_producer closing_keeps publishes ;;
            *) continue ;;
        esac
        models "" "$program" "$@"
    done <"$target/programs"
fi

# ---------------------------------------------------------------- controls --

# bug, model that must notice, text that its failure must contain
cat >"$target/controls" <<'END'
relaxed_commit      records_wrap_whole_and_in_order                      Causality violation
relaxed_look        records_wrap_whole_and_in_order                      Causality violation
relaxed_head        records_wrap_whole_and_in_order                      Causality violation
relaxed_refresh     records_wrap_whole_and_in_order                      Causality violation
kept_header         records_wrap_whole_and_in_order                      tests/spsc.rs
blind_claim         nothing_is_lost_doubled_or_torn                      Causality violation
relaxed_head_cache  room_is_reused_only_when_the_consumer_is_done        Causality violation
relaxed_seen_head   room_is_reused_only_when_the_consumer_is_done        Causality violation
live_abort          an_aborted_record_is_skipped                         torn
stale_head          a_producer_that_waits_for_room_gets_it               somebody waits for room that is there
stale_head          two_producers_that_wait_for_room_get_it              somebody waits for room that is there
one_too_many        the_last_room_goes_to_one_of_two                     Causality violation
no_arm_fence        one_producer_wakes_the_consumer                      deadlock
no_ring_fence       two_producers_wake_the_consumer                      deadlock
both_wake           a_wake_is_asked_for_once_and_only_of_an_armed_bell   the one wake was asked for
wakes_awake         a_wake_is_asked_for_once_and_only_of_an_armed_bell   awake from the start
reset_jumps         a_sleeper_is_woken_across_a_reset                    deadlock
no_arm_fence        a_sleeper_is_woken_by_the_last_record_after_closing  deadlock
count_first         losses_add_up                                        tests/losses.rs
relaxed_loss        losses_taken_halfway_add_up                          tests/losses.rs
relaxed_take        losses_taken_halfway_add_up                          tests/losses.rs
unpaid_note         every_attempt_is_delivered_or_told                   Causality violation
live_notes          an_old_record_swallows_no_new_loss                   tests/losses.rs
any_session         a_loss_stays_in_its_session                          a loss of another session
any_bytes           a_loss_stays_in_its_session                          a loss of another session
swallowed_note      an_aborted_record_passes_its_note_on                 tests/losses.rs
torn_count          totals_miss_nothing                                  tests/losses.rs
release_all         the_consumers_own_pushes_are_like_any_other          tests/reentrant.rs
waits_for_room      the_consumers_own_pushes_are_like_any_other          exceeded maximum number of branches
late_stamp          nothing_old_is_live_in_the_next_session              live or not
late_stamp          nothing_old_is_live_with_one_producer                live or not
short_epochs        two_resets_leave_nothing_live                        tests/sessions.rs
torn_close          closing_elsewhere_revives_no_session                 the gate has gone back
closing_resets      closing_keeps_what_was_accepted                      tests/sessions.rs
relaxed_open        opening_publishes                                    Causality violation
relaxed_pass        opening_publishes                                    Causality violation
relaxed_close       closing_publishes                                    Causality violation
relaxed_pass        closing_publishes                                    Causality violation
relaxed_passing     copies_into_a_granule_never_race                     Causality violation
relaxed_settling    copies_into_a_granule_never_race                     Causality violation
pass_unsettled      copies_into_a_granule_never_race                     Causality violation
relaxed_oldest      room_that_another_made_is_settled                    Causality violation
relaxed_forgetting  room_that_another_made_is_settled                    Causality violation
relaxed_announcement two_that_make_room_take_what_they_need              tests/recorder.rs
pass_unsettled      a_record_in_the_making_is_not_overwritten            Causality violation
pass_unsettled      a_push_within_a_push_does_not_wait                   Causality violation
relaxed_announcement a_lone_push_is_not_refused                          nothing is in the way
relaxed_tail        a_lone_push_is_not_refused                           nothing is in the way
relaxed_claim       a_lone_push_is_not_refused                           nothing is in the way
unannounced_claim   a_reader_from_outside_keeps_only_what_is_whole       torn
no_claim_fence      a_reader_from_outside_keeps_only_what_is_whole       torn
relaxed_stamps      a_reader_from_outside_keeps_only_what_is_whole       torn
relaxed_settling    a_reader_from_outside_keeps_only_what_is_whole       torn
END

# The switch is passed only to the crates of this workspace, so that loom is not built again.
wrapper=$target/with-bugs
printf '#!/bin/sh\nexec "$@" --cfg ring_bug\n' >"$wrapper"
chmod +x "$wrapper"
RUSTC_WORKSPACE_WRAPPER="$wrapper" builds >"$target/programs"
while read -r _ program; do
    "$program" --list | sed -n "s|: test\$| $program|p"
done <"$target/programs" >"$target/models"

while read -r model _; do
    grep -q " $model  " "$target/controls" || { echo "no control for the model $model" >&2; exit 1; }
done <"$target/models"

export LOOM_MAX_PREEMPTIONS=3
# Making a backtrace takes longer than running a model that fails.
export RUST_BACKTRACE=0
while read -r bug model words; do
    program=$(sed -n "s/^$model //p" "$target/models")
    [ -n "$program" ] || { echo "control $bug: no model $model" >&2; exit 1; }
    if RING_BUG=$bug "$program" --exact "$model" >"$log" 2>&1; then
        echo "control $bug: $model did not notice" >&2
        exit 1
    fi
    if ! sed -n '/panicked at/{p;n;p;}' "$log" | grep -qF "$words"; then
        cat "$log" >&2
        echo "control $bug: $model failed, but did not say: $words" >&2
        exit 1
    fi
    echo "control $bug: noticed by $model"
done <"$target/controls"
echo "all models hold, all controls were noticed"
