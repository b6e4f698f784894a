//! Stored blocks to binary32, by the formulas of the `gguf` Python package, product by product.

use crate::{ElementType, element::I2S_TAIL};
use half::{bf16, f16};

/// Elements of whole blocks, appended to `out`. An I2_S slice ends with the tensor's tail. Types that
/// are not read give nothing: callers refuse them before.
pub fn dequantise(element: ElementType, bytes: &[u8], out: &mut Vec<f32>) {
    let (_, size) = element.block();
    let blocks = bytes.chunks_exact(size as usize);
    match element {
        ElementType::F32 => {
            out.extend(blocks.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])))
        }
        ElementType::F16 => out.extend(blocks.map(half)),
        ElementType::Bf16 => {
            out.extend(blocks.map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32()));
        }
        ElementType::Q8_0 => blocks.for_each(|b| {
            let d = half(b);
            out.extend(b[2..].iter().map(|&q| f32::from(q as i8) * d));
        }),
        ElementType::Q4K => blocks.for_each(|b| q4_k(b, out)),
        ElementType::Q6K => blocks.for_each(|b| q6_k(b, out)),
        ElementType::Tq1_0 => blocks.for_each(|b| scaled(tq1_0(b), half(&b[52..]), out)),
        ElementType::Tq2_0 => blocks.for_each(|b| scaled(tq2_0(b), half(&b[64..]), out)),
        ElementType::I2S => {
            let (codes, tail) = bytes.split_at(bytes.len().saturating_sub(I2S_TAIL as usize));
            let scale = tail.first_chunk().map_or(0.0, |b| f32::from_le_bytes(*b));
            codes.chunks_exact(32).for_each(|b| scaled(i2_s(b), scale, out));
        }
        ElementType::Other(_) => {}
    }
}

/// The binary16 that begins a slice.
pub fn half(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

fn scaled(codes: impl Iterator<Item = i8>, d: f32, out: &mut Vec<f32>) {
    out.extend(codes.map(|q| d * f32::from(q)));
}

/// The 256 codes of a TQ2_0 block; a stored 3, which no quantiser writes, is 2.
pub fn tq2_0(block: &[u8]) -> impl Iterator<Item = i8> + '_ {
    (0..256).map(|j| {
        let byte = block[j / 128 * 32 + j % 32];
        (byte >> (2 * (j % 128 / 32)) & 3) as i8 - 1
    })
}

/// The 256 trits of a TQ1_0 block: five a byte in base 3, scaled so that the first is the highest
/// part of a product by 3.
pub fn tq1_0(block: &[u8]) -> impl Iterator<Item = i8> + '_ {
    const POWERS: [u8; 5] = [1, 3, 9, 27, 81];
    (0..256).map(|j| {
        let (byte, digit) = match j {
            0..160 => (block[j % 32], j / 32),
            160..240 => (block[32 + (j - 160) % 16], (j - 160) / 16),
            _ => (block[48 + (j - 240) % 4], (j - 240) / 4),
        };
        ((u16::from(byte.wrapping_mul(POWERS[digit])) * 3) >> 8) as i8 - 1
    })
}

/// The 128 codes of 32 bytes of I2_S; the first 32 elements lie in the highest bits.
pub fn i2_s(block: &[u8]) -> impl Iterator<Item = i8> + '_ {
    (0..128).map(|j| (block[j % 32] >> (6 - 2 * (j / 32)) & 3) as i8 - 1)
}

/// 256 weights: low halves, high quarters, sixteen scales, d.
fn q6_k(block: &[u8], out: &mut Vec<f32>) {
    let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
    let d = half(&block[208..]);
    for j in 0..256 {
        let (part, at) = (j / 128, j % 128);
        let low = low[part * 64 + at % 64] >> (4 * (at / 64)) & 15;
        let high = high[part * 32 + at % 32] >> (2 * (at / 32)) & 3;
        let q = f32::from((low | high << 4) as i8 - 32);
        out.push(d * f32::from(scales[j / 16] as i8) * q);
    }
}

/// 256 weights: d, dmin, eight scales and eight minima of six bits, halves.
fn q4_k(block: &[u8], out: &mut Vec<f32>) {
    let (d, least) = (half(block), half(&block[2..]));
    let (packed, halves) = (&block[4..16], &block[16..144]);
    for j in 0..256 {
        let (group, i) = (j / 32, j / 32 % 4);
        let (scale, minimum) = match group {
            0..4 => (packed[i] & 63, packed[4 + i] & 63),
            _ => (
                packed[8 + i] & 15 | packed[i] >> 2 & 48,
                packed[8 + i] >> 4 | packed[4 + i] >> 2 & 48,
            ),
        };
        let q = halves[j / 64 * 32 + j % 32] >> (4 * (group % 2)) & 15;
        out.push(d * f32::from(scale) * f32::from(q) - least * f32::from(minimum));
    }
}
