//! Tests of the director, with an OBS that is simulated to the millisecond.

mod faults;
mod hold;
mod playing;
mod soak;
mod world;
