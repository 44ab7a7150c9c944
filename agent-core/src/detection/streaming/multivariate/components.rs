//! The few directions in which all channels move together, learnt row by row (Oja's rule, one component after the
//! other, each on what those before it left).

use super::count;

/// How fast components follow, in the long run and while they are new.
const RATE: f32 = 0.001;
const NEW_ROWS: f32 = 20.0;
/// What is learned from is no further off than this, so that an anomaly does not become a component.
const REACH: f32 = 5.0;

/// Unit vectors, one a component.
#[derive(Clone, Debug)]
pub(super) struct Components {
    vectors: Box<[f32]>,
    learned: Box<[f32]>,
}

impl Components {
    pub(super) fn new(components: usize, channels: usize) -> Self {
        let mut vectors = vec![0.0; components * channels];
        for (component, vector) in vectors.chunks_exact_mut(channels.max(1)).enumerate() {
            for (channel, weight) in vector.iter_mut().enumerate() {
                *weight = if (channel + component).is_multiple_of(components) { 1.0 } else { 0.1 };
            }
            normalise(vector);
        }
        Self { vectors: vectors.into(), learned: vec![0.0; channels].into() }
    }

    /// Takes what the components explain out of a row, the one after `rows`, and learns from it.
    pub(super) fn remove(&mut self, row: &mut [f32], rows: u32) {
        for (learned, distance) in self.learned.iter_mut().zip(row.iter()) {
            *learned = distance.clamp(-REACH, REACH);
        }
        let rate = RATE.max(1.0 / (count(usize::try_from(rows).unwrap_or(usize::MAX)) + NEW_ROWS));
        for vector in self.vectors.chunks_exact_mut(row.len().max(1)) {
            subtract(row, vector);
            let amount = subtract(&mut self.learned, vector);
            let energy = dot(&self.learned, &self.learned) + amount * amount;
            let step = rate / (1.0 + energy / count(row.len())) * amount;
            for (weight, left) in vector.iter_mut().zip(&self.learned) {
                *weight += step * left;
            }
            normalise(vector);
        }
    }
}

/// Takes out of a row what lies along a vector, and returns how much that was.
fn subtract(row: &mut [f32], vector: &[f32]) -> f32 {
    let amount = dot(row, vector);
    for (left, weight) in row.iter_mut().zip(vector) {
        *left -= amount * weight;
    }
    amount
}

fn normalise(vector: &mut [f32]) {
    let length = dot(vector, vector).sqrt();
    if length > 0.0 {
        for weight in vector {
            *weight /= length;
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
