//! The golden card against the golden model, and against everything that may be wrong in its memory.

mod codes;
mod equality;
mod hazards;
mod hostile;
mod images;
mod rig;
mod sharing;
