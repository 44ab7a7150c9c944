//! Who is judged: a VM with all that is its own, or the host.

use crate::detection::fusion::Evidence;
use bytemuck::Zeroable;

/// One subject. All zeroes is nobody.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub(super) struct Subject {
    pub(super) evidence: Evidence,
    /// The weights of all its signs.
    pub(super) total: i32,
    pub(super) generation: u32,
    /// Its first slot.
    pub(super) first: u32,
    pub(super) signs: u32,
    /// When it was last learned from.
    pub(super) learned_ns: u64,
    /// Since when it has been beyond the threshold; 0 is not.
    pub(super) crossed_ns: u64,
    /// Since when a firing one has been quiet; 0 is not.
    pub(super) calm_ns: u64,
    /// When what fires was told; 0 when nothing does.
    pub(super) told_ns: u64,
    /// When the last alarm ended: the next began after that.
    pub(super) resolved_ns: u64,
    /// The greatest strength of this episode; 0 outside of one.
    pub(super) peak: f32,
    /// Spans in which the episode might be over.
    pub(super) quiet_spans: u16,
    pub(super) touched: u8,
    /// In this episode an alarm was left to the host.
    pub(super) left: u8,
}
