//! The only source of chance in a replica: one generator, seeded once at boot.
//!
//! How a range is sampled is fixed here and not taken from a library, whose method may change between versions and
//! would shift every recorded seed.
use crate::time::Span;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    pub fn from_seed(seed: u64) -> Rng {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Rng(ChaCha8Rng::from_seed(bytes))
    }

    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..n`; 0 when `n` is 0. Multiply and shift: the bias is below n / 2^64.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.u64()) * u128::from(n)) >> 64) as u64
    }

    /// A span in `low..low + width`.
    pub fn span(&mut self, low: Span, width: Span) -> Span {
        low + Span(self.below(width.0))
    }
}
