//! Who has just raised an alarm must see something clearly worse to raise the next.
//!
//! After an alarm comes a short silence; then a threshold that was raised in two parts, one that is forgotten within a
//! hundred samples and a smaller one that adds up over thousands. A series that keeps misbehaving in the same way
//! thereby says so once, and one that is noisy by nature alarms more and more rarely.

use bytemuck::Zeroable;

/// No second alarm within so many samples.
const SILENCE_SAMPLES: u16 = 30;
/// What an alarm adds to the threshold, and the part of it that is left after one more sample: `e^(-1/100)`.
const BRIEF: f32 = 0.5;
const BRIEF_LEFT: f32 = 0.990_049_8;
/// The same for thousands of samples: `e^(-1/4000)`.
const LASTING: f32 = 0.1;
const LASTING_LEFT: f32 = 0.999_75;

/// How far the threshold is raised.
#[derive(Clone, Copy, Debug, Zeroable)]
pub(super) struct Restraint {
    brief: f32,
    lasting: f32,
    silent: u16,
}

impl Restraint {
    pub(super) const fn new() -> Self {
        Self { brief: 0.0, lasting: 0.0, silent: 0 }
    }

    /// A surprise less what the threshold was raised by; none in the silence after an alarm.
    pub(super) fn admit(&mut self, surprise: f32) -> f32 {
        self.brief *= BRIEF_LEFT;
        self.lasting *= LASTING_LEFT;
        if self.silent > 0 {
            self.silent -= 1;
            return 0.0;
        }
        (surprise - self.brief - self.lasting).max(0.0)
    }

    /// An alarm was raised.
    pub(super) fn raised(&mut self) {
        self.brief += BRIEF;
        self.lasting += LASTING;
        self.silent = SILENCE_SAMPLES;
    }
}
