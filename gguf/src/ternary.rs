//! Ternary matrices, exactly: trits and one scale.

use crate::{
    ElementType,
    dequantise::{dequantise, half, i2_s, tq1_0, tq2_0},
    element::I2S_TAIL,
};

/// A ternary matrix: `weights` of -1, 0 and 1 times `scale`, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Trits {
    /// `rows * cols` weights.
    pub weights: Vec<i8>,
    /// The value of 1; 1.0 where every weight is 0 and the file says no more.
    pub scale: f32,
}

/// The trits of a tensor's bytes; the text of an error says what is wrong.
pub fn recover(element: ElementType, bytes: &[u8]) -> Result<Trits, String> {
    match element {
        ElementType::Tq1_0 => blocks(bytes, 54, |block| (half(&block[52..]), tq1_0(block))),
        ElementType::Tq2_0 => blocks(bytes, 66, |block| (half(&block[64..]), tq2_0(block))),
        ElementType::I2S => {
            let (codes, tail) = bytes.split_at(bytes.len().saturating_sub(I2S_TAIL as usize));
            let scale = tail.first_chunk().map_or(f32::NAN, |b| f32::from_le_bytes(*b));
            blocks(codes, 32, |block| (scale, i2_s(block)))
        }
        ElementType::F32 | ElementType::F16 | ElementType::Bf16 => real(element, bytes),
        _ => Err(element.refusal().unwrap_or_else(|| {
            format!(
                "type {element}; a ternary matrix is read from TQ2_0, TQ1_0 or I2_S, or from F32, F16 \
                 or BF16 that holds -s, 0 and s alone: convert the model again"
            )
        })),
    }
}

/// Blocks that each give a scale and codes; the scales must be equal wherever a weight is not 0.
fn blocks<'a, I: Iterator<Item = i8>>(
    bytes: &'a [u8],
    size: usize,
    decode: impl Fn(&'a [u8]) -> (f32, I),
) -> Result<Trits, String> {
    let mut weights = Vec::with_capacity(bytes.len() / size * 256);
    let mut common: Option<f32> = None;
    for (index, block) in bytes.chunks_exact(size).enumerate() {
        let (scale, codes) = decode(block);
        let start = weights.len();
        weights.extend(codes);
        let codes = &mut weights[start..];
        if let Some(at) = codes.iter().position(|&q| q == 2) {
            return Err(format!(
                "element {} has the code 3; expected 0, 1 or 2: the tensor is damaged",
                start + at
            ));
        }
        if !(scale.is_finite() && scale >= 0.0) {
            return Err(format!(
                "block {index} has the scale {scale}; expected a finite number that is not negative: \
                 the tensor is damaged"
            ));
        }
        if scale == 0.0 {
            codes.fill(0);
        }
        if codes.iter().all(|&q| q == 0) {
            continue;
        }
        match common {
            None => common = Some(scale),
            Some(first) if first == scale => {}
            Some(first) => {
                return Err(format!(
                    "block {index} has the scale {scale} and an earlier one {first}; the arithmetic \
                     here has one scale a matrix, and this file was quantised block by block from real \
                     weights: convert the ternary checkpoint instead"
                ));
            }
        }
    }
    Ok(Trits { weights, scale: common.unwrap_or(1.0) })
}

/// Real numbers that are -s, 0 and s.
fn real(element: ElementType, bytes: &[u8]) -> Result<Trits, String> {
    let mut values = Vec::new();
    dequantise(element, bytes, &mut values);
    let scale = values.iter().copied().find(|v| *v != 0.0).map_or(1.0, f32::abs);
    if !scale.is_finite() {
        return Err(format!("holds {scale}; expected finite numbers: the tensor is damaged"));
    }
    let mut weights = Vec::with_capacity(values.len());
    for (at, &value) in values.iter().enumerate() {
        weights.push(match value {
            0.0 => 0,
            v if v == scale => 1,
            v if v == -scale => -1,
            v => {
                return Err(format!(
                    "element {at} is {v} and an earlier one {scale}; expected -s, 0 and s alone: these \
                     are not the weights of a ternary model, or not quantised yet: convert the ternary \
                     checkpoint to TQ2_0"
                ));
            }
        });
    }
    Ok(Trits { weights, scale })
}
