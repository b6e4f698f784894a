//! Numbers to stored blocks.

use half::{bf16 as Bf16, f16 as F16};

/// Whether a block scale, which is a binary16, holds this scale to its 11 bits.
pub fn scale_fits(scale: f32) -> bool {
    let stored = F16::from_f32(scale);
    stored.is_normal() && stored.is_sign_positive()
}

/// TQ2_0 blocks of trits; a whole number of blocks of 256. The scale is rounded to binary16.
pub fn tq2_0(weights: &[i8], scale: f32) -> Vec<u8> {
    let mut out = Vec::with_capacity(weights.len() / 256 * 66);
    for block in weights.chunks_exact(256) {
        let code = |j: usize| (block[j] + 1) as u8;
        out.extend((0..64).map(|byte| {
            let first = byte / 32 * 128 + byte % 32;
            (0..4).fold(0, |all, i| all | code(first + 32 * i) << (2 * i))
        }));
        out.extend(F16::from_f32(scale).to_le_bytes());
    }
    out
}

/// Q8_0 blocks; a whole number of blocks of 32. Halves round away from zero, as llama.cpp does it.
pub fn q8_0(values: &[f32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len() / 32 * 34);
    for block in values.chunks_exact(32) {
        let d = block.iter().fold(0.0_f32, |most, v| most.max(v.abs())) / 127.0;
        let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
        out.extend(F16::from_f32(d).to_le_bytes());
        out.extend(block.iter().map(|v| (v * inverse).round() as i8 as u8));
    }
    out
}

/// binary32.
pub fn f32(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// binary16, to nearest even.
pub fn f16(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| F16::from_f32(*v).to_le_bytes()).collect()
}

/// bfloat16, to nearest even.
pub fn bf16(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| Bf16::from_f32(*v).to_le_bytes()).collect()
}
