//! Definitions that the RTS did not hand over, made from what it knows.
//!
//! A log that starts when the program already runs lacks what the RTS writes
//! only once (capability sets, capabilities, the heap profile's parameters;
//! with GHC 9.0 everything). The program's RTS part reports the facts; whatever
//! definition is missing is written from them, as the RTS would have.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::num::NonZeroU64;

use ghc_eventlog::definition::Class;
use ghc_eventlog::layout::EVENT_HEAD;
use ghc_eventlog::{CapsetType, RawEvent, ids};

use crate::definitions::FillGaps;
use crate::format::{fixed_event, variable_event};
use crate::memory::{OutOfMemory, copied, push};

/// `EventlogSocketRtsFacts` of `eventlog_socket_rts.h`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct RawFacts {
    rts_identifier: *const c_char,
    argc: c_int,
    argv: *mut *mut c_char,
    capabilities: u32,
    generations: u16,
    max_heap_size: u64,
    alloc_area_size: u64,
    mblock_size: u64,
    block_size: u64,
    heap_profile_breakdown: u32,
    heap_profile_period_ns: u64,
    heap_profile_filters: [*const c_char; 7],
}

/// The same, owned, so that the poll thread can use it.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    rts_identifier: Vec<u8>,
    args: Vec<Vec<u8>>,
    capabilities: u32,
    heap_info: HeapInfo,
    heap_profile: Option<HeapProfile>,
    pub(crate) cost_centres: Vec<CostCentre>,
}

#[derive(Debug, Default)]
struct HeapInfo {
    generations: u16,
    sizes: [u64; 4],
}

#[derive(Debug)]
struct HeapProfile {
    breakdown: u32,
    period_ns: u64,
    filters: [Vec<u8>; 7],
}

#[derive(Debug)]
pub(crate) struct CostCentre {
    id: u32,
    label: Vec<u8>,
    module: Vec<u8>,
    srcloc: Vec<u8>,
    is_caf: bool,
}

const NANOS: u64 = 1_000_000_000;

/// The capability sets that every RTS creates: its OS process, and its clock.
const CAPSET_OSPROCESS: u32 = 0;
const CAPSET_CLOCKDOMAIN: u32 = 1;

/// How far the log has come, and how its clock goes with the wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    /// The time that global blocks have told: what is written now is not earlier, and none
    /// that the RTS has still to hand over is before it.
    pub reached: u64,
    /// Nanoseconds since 1970 when the log's clock was 0; none if it is not known.
    pub epoch: Option<NonZeroU64>,
}

/// # Safety
/// `text` is NULL or a string that ends in NUL.
unsafe fn bytes_of(text: *const c_char) -> Result<Vec<u8>, OutOfMemory> {
    if text.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: not NULL, so a string that ends in NUL, by the contract of this
    // function.
    copied(unsafe { CStr::from_ptr(text) }.to_bytes())
}

impl RawFacts {
    pub(crate) const fn empty() -> RawFacts {
        RawFacts {
            rts_identifier: std::ptr::null(),
            argc: 0,
            argv: std::ptr::null_mut(),
            capabilities: 0,
            generations: 0,
            max_heap_size: 0,
            alloc_area_size: 0,
            mblock_size: 0,
            block_size: 0,
            heap_profile_breakdown: 0,
            heap_profile_period_ns: 0,
            heap_profile_filters: [std::ptr::null(); 7],
        }
    }

    /// # Safety
    /// The pointers are NULL or what `eventlog_socket_rts.h` says: strings, and
    /// `argc` of them at `argv`.
    pub(crate) unsafe fn to_owned(&self) -> Result<Facts, OutOfMemory> {
        let argc = usize::try_from(self.argc).unwrap_or(0);
        let mut args = Vec::new();
        for i in (0..argc).filter(|_| !self.argv.is_null()) {
            // SAFETY: `argv` has `argc` strings, by the contract of this function.
            push(&mut args, unsafe { bytes_of(*self.argv.add(i)) }?)?;
        }
        let mut heap_profile = None;
        if self.heap_profile_breakdown != 0 {
            let mut filters: [Vec<u8>; 7] = Default::default();
            for (to, filter) in filters.iter_mut().zip(self.heap_profile_filters) {
                // SAFETY: NULL or a string, by the contract of this function.
                *to = unsafe { bytes_of(filter) }?;
            }
            heap_profile = Some(HeapProfile {
                breakdown: self.heap_profile_breakdown,
                period_ns: self.heap_profile_period_ns,
                filters,
            });
        }
        Ok(Facts {
            // SAFETY: NULL or a string, by the contract of this function.
            rts_identifier: unsafe { bytes_of(self.rts_identifier) }?,
            args,
            capabilities: self.capabilities,
            heap_info: HeapInfo {
                generations: self.generations,
                sizes: [
                    self.max_heap_size,
                    self.alloc_area_size,
                    self.mblock_size,
                    self.block_size,
                ],
            },
            heap_profile,
            cost_centres: Vec::new(),
        })
    }
}

/// Cost centres, or that there was no memory for one.
pub(crate) type Collected = Result<Vec<CostCentre>, OutOfMemory>;

/// Collects cost centres; `context` is a `*mut Collected`.
///
/// # Safety
/// `context` is what was handed to the RTS part, and the strings end in NUL.
pub(crate) unsafe extern "C" fn collect_cost_centre(
    context: *mut c_void,
    id: u32,
    label: *const c_char,
    module: *const c_char,
    srcloc: *const c_char,
    is_caf: bool,
) {
    // SAFETY: `context` is what `Rts::facts` lends for the duration of the enumeration,
    // and nothing else uses it meanwhile.
    let collected = unsafe { &mut *context.cast::<Collected>() };
    let Ok(centres) = collected else {
        return;
    };
    // SAFETY: the RTS's own strings.
    let strings = unsafe { (bytes_of(label), bytes_of(module), bytes_of(srcloc)) };
    let pushed = match strings {
        (Ok(label), Ok(module), Ok(srcloc)) => push(
            centres,
            CostCentre {
                id,
                label,
                module,
                srcloc,
                is_caf,
            },
        ),
        _ => Err(OutOfMemory),
    };
    if let Err(error) = pushed {
        *collected = Err(error);
    }
}

impl Facts {
    /// Add what `definitions` lacks. `moment` is for an RTS that does not repeat
    /// the wall clock. If there is no memory for all of it, it can be done again.
    pub(crate) fn fill_gaps(
        &self,
        definitions: &mut impl FillGaps,
        moment: Moment,
    ) -> Result<(), OutOfMemory> {
        let (log, keyed) = definitions.parts();
        log.saw_time(moment.reached);
        let time = log.latest();
        let mut add = |class, key, event| keyed.add_missing((class, key), time, event);
        let process = CAPSET_OSPROCESS.to_be_bytes();
        let capsets = [
            (CAPSET_OSPROCESS, CapsetType::OS_PROCESS),
            (CAPSET_CLOCKDOMAIN, CapsetType::CLOCK_DOMAIN),
        ];
        for (capset, kind) in capsets {
            let payload: [&[u8]; 2] = [&capset.to_be_bytes(), &kind.0.to_be_bytes()];
            let event = fixed_event(ids::CAPSET_CREATE, time, &payload)?;
            add(Class::CapsetCreate, capset.into(), event)?;
        }
        for cap in 0..self.capabilities {
            let number = (cap as u16).to_be_bytes();
            let event = fixed_event(ids::CAP_CREATE, time, &[&number])?;
            add(Class::CapCreate, cap.into(), event)?;
            for (capset, _) in capsets {
                let key = u64::from(capset) << 16 | u64::from(cap);
                let payload: [&[u8]; 2] = [&capset.to_be_bytes(), &number];
                let event = fixed_event(ids::CAPSET_ASSIGN_CAP, time, &payload)?;
                add(Class::CapsetAssign, key, event)?;
            }
        }
        if let Some(epoch) = moment.epoch {
            let now = epoch.get().saturating_add(time);
            let nanoseconds = (now % NANOS) as u32;
            let event = fixed_event(
                ids::WALL_CLOCK_TIME,
                time,
                &[
                    &CAPSET_CLOCKDOMAIN.to_be_bytes(),
                    &(now / NANOS).to_be_bytes(),
                    &nanoseconds.to_be_bytes(),
                ],
            )?;
            add(Class::WallClock, CAPSET_CLOCKDOMAIN.into(), event)?;
        }
        let parent = std::os::unix::process::parent_id();
        for (kind, class, pid) in [
            (ids::OSPROCESS_PID, Class::OsProcessPid, std::process::id()),
            (ids::OSPROCESS_PPID, Class::OsProcessPpid, parent),
        ] {
            let event = fixed_event(kind, time, &[&process, &pid.to_be_bytes()])?;
            add(class, CAPSET_OSPROCESS.into(), event)?;
        }
        let event = variable_event(ids::RTS_IDENTIFIER, time, &[&process, &self.rts_identifier])?;
        add(Class::RtsIdentifier, CAPSET_OSPROCESS.into(), event)?;
        let mut args: Vec<&[u8]> = Vec::new();
        args.try_reserve_exact(1 + 2 * self.args.len())?;
        args.push(&process);
        for arg in &self.args {
            args.extend([arg, &b"\0"[..]]);
        }
        let event = variable_event(ids::PROGRAM_ARGS, time, &args)?;
        add(Class::ProgramArgs, CAPSET_OSPROCESS.into(), event)?;
        let generations = self.heap_info.generations.to_be_bytes();
        let sizes = self.heap_info.sizes.map(u64::to_be_bytes);
        let sizes = sizes.as_flattened();
        let event = fixed_event(ids::HEAP_INFO_GHC, time, &[&process, &generations, sizes])?;
        add(Class::HeapInfo, CAPSET_OSPROCESS.into(), event)?;
        if let Some(profile) = &self.heap_profile {
            add(Class::HeapProfBegin, 0, profile.event(time)?)?;
        }
        if !definitions.has_cost_centres() {
            for centre in &self.cost_centres {
                // They have no key that tells them apart, so they are not added again.
                let added = centre.event(time).and_then(|event| {
                    definitions.add_cost_centre(&RawEvent {
                        id: ids::HEAP_PROF_COST_CENTRE,
                        time,
                        payload: event.get(EVENT_HEAD + 2..).unwrap_or_default(),
                        bytes: &event,
                    })
                });
                if added.is_err() {
                    definitions.parts().0.leave_out(centre.len());
                }
            }
        }
        Ok(())
    }
}

impl HeapProfile {
    fn event(&self, time: u64) -> Result<Vec<u8>, OutOfMemory> {
        let period = self.period_ns.to_be_bytes();
        let breakdown = self.breakdown.to_be_bytes();
        let mut payload: [&[u8]; 3 + 2 * 7] = [b"\0"; 17];
        payload[1] = &period;
        payload[2] = &breakdown;
        // Each with its NUL behind it.
        for (to, filter) in payload[3..].iter_mut().step_by(2).zip(&self.filters) {
            *to = filter;
        }
        variable_event(ids::HEAP_PROF_BEGIN, time, &payload)
    }
}

impl CostCentre {
    /// Bytes of its event.
    fn len(&self) -> usize {
        let strings = self.label.len() + self.module.len() + self.srcloc.len();
        EVENT_HEAD + 2 + 4 + strings + 3 + 1
    }

    fn event(&self, time: u64) -> Result<Vec<u8>, OutOfMemory> {
        variable_event(
            ids::HEAP_PROF_COST_CENTRE,
            time,
            &[
                &self.id.to_be_bytes(),
                &self.label,
                b"\0",
                &self.module,
                b"\0",
                &self.srcloc,
                b"\0",
                &[u8::from(self.is_caf)],
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::{Definitions, Delta};
    use crate::format::made::{fixed_event, header};

    #[test]
    fn what_the_rts_wrote_is_not_replaced() {
        let mut definitions = Definitions::default();
        let types = [(ids::BLOCK_MARKER, 14), (ids::CAP_CREATE, 2)];
        definitions.learn_chunk(&header(&types), None);
        let written = fixed_event(ids::CAP_CREATE, 5, &[&[0, 0]]);
        definitions.learn_chunk(&written, None);
        let facts = Facts {
            capabilities: 2,
            ..Facts::default()
        };
        facts
            .fill_gaps(&mut definitions, Moment::default())
            .unwrap();
        let (pieces, _) = definitions.replay(u64::MAX, &mut Delta::default()).unwrap();
        let replay = pieces[0].to_vec();
        let caps = |time: u64, cap: u8| {
            let event = fixed_event(ids::CAP_CREATE, time, &[&[0, cap]]);
            replay.windows(event.len()).filter(|w| *w == event).count()
        };
        assert_eq!((caps(5, 0), caps(0, 0), caps(5, 1)), (1, 0, 1));
    }
}
