//! Tensors to numbers: real rows, packed and unpacked ternary matrices.

use super::{ScaleConvention, Stored, TensorFiles};
use crate::Error;
use safetensors::Dtype;
use std::{cell::RefCell, collections::BTreeSet};
use terntable_golden::ternary::Ternary;

/// Rows of a packed matrix of `rows` rows: four codes of two bits a byte.
pub fn packed_rows(rows: usize) -> usize {
    rows.div_ceil(4)
}

/// The codes of a packed matrix, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedCodes {
    /// `rows * cols` weights; an illegal code stands as 0.
    pub weights: Vec<i8>,
    /// Weights whose code is 3, which stands for nothing.
    pub illegal: usize,
}

/// Unpacks Hugging Face's layout: the byte at `(r, c)` holds the codes (weight + 1) of the rows
/// `r + i * R`, i = 0..4, in bits 2i+1..2i, where R is the number of packed rows.
pub fn unpack_codes(bytes: &[u8], rows: usize, cols: usize) -> PackedCodes {
    let quarter = packed_rows(rows);
    let mut weights = Vec::with_capacity(rows * cols);
    let mut illegal = 0;
    for row in 0..rows {
        let shift = 2 * (row / quarter);
        let packed = &bytes[row % quarter * cols..][..cols];
        weights.extend(packed.iter().map(|byte| match byte >> shift & 3 {
            3 => {
                illegal += 1;
                0
            }
            code => code as i8 - 1,
        }));
    }
    PackedCodes { weights, illegal }
}

/// Reads tensors of a checkpoint with every check.
pub struct Reader<'a> {
    tensors: &'a TensorFiles,
    convention: ScaleConvention,
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Reader<'a> {
    /// A reader of these files.
    pub fn new(tensors: &'a TensorFiles, convention: ScaleConvention) -> Self {
        Self { tensors, convention, read: RefCell::default() }
    }

    /// Refuses tensors that the model would have used and nothing read: more layers than
    /// `config.json` says, biases, norms of another architecture.
    pub fn check_all_read(&self) -> Result<(), Error> {
        let read = self.read.borrow();
        let meant = |name: &&str| {
            name.ends_with(".bias")
                || (name.starts_with("model.layers.") && !name.ends_with("rotary_emb.inv_freq"))
        };
        match self.tensors.names().filter(|name| !read.contains(*name)).find(meant) {
            None => Ok(()),
            Some(name) => Err(Error::Tensor {
                path: self.tensors.path().into(),
                tensor: name.into(),
                text:
                    "is in the file and has no place in the model that config.json describes; the \
                       results would be wrong without it"
                        .into(),
            }),
        }
    }

    fn get(&self, name: &str) -> Result<Stored<'a>, Error> {
        self.read.borrow_mut().insert(name.into());
        self.tensors.get(name).ok_or_else(|| Error::Tensor {
            path: self.tensors.path().into(),
            tensor: name.into(),
            text: "missing; the checkpoint is incomplete or of another architecture".into(),
        })
    }

    /// A real tensor of the given shape; every value must be finite.
    pub fn real(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let stored = self.get(name)?;
        expect_shape(&stored, name, shape)?;
        let values = real_values(&stored, name)?;
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let text = format!("element {at} is {}; expected finite numbers", values[at]);
            return Err(wrong(&stored, name, text));
        }
        Ok(values)
    }

    /// A ternary matrix: packed (`uint8` with a scale), real (quantised here), or real numbers that
    /// are trits already, with a scale.
    pub fn ternary(&self, name: &str, rows: usize, cols: usize) -> Result<Ternary, Error> {
        let tensor = format!("{name}.weight");
        let stored = self.get(&tensor)?;
        if stored.dtype != Dtype::U8 {
            let real = self.real(&tensor, &[rows, cols])?;
            if self.tensors.get(&format!("{name}.weight_scale")).is_none() {
                return Ok(Ternary::absmean(rows, cols, &real)?);
            }
            // A scale beside real numbers: they are the trits themselves, or nothing that we know.
            if let Some(w) = real.iter().find(|w| ![-1.0, 0.0, 1.0].contains(*w)) {
                let text = format!(
                    "holds {w} and has a weight_scale; expected -1, 0 and 1 beside a scale, or real \
                     weights without one"
                );
                return Err(wrong(&stored, &tensor, text));
            }
            let trits = real.iter().map(|w| *w as i8).collect();
            return Ok(Ternary::new(rows, cols, trits, self.scale(name)?)?);
        }
        expect_shape(&stored, &tensor, &[packed_rows(rows), cols])?;
        let codes = unpack_codes(stored.bytes, rows, cols);
        if codes.illegal > 0 {
            let text = format!(
                "{} weights have the code 3; expected 0, 1 or 2: the tensor is damaged",
                codes.illegal
            );
            return Err(wrong(&stored, &tensor, text));
        }
        Ok(Ternary::new(rows, cols, codes.weights, self.scale(name)?)?)
    }

    /// The multiplier of a packed matrix.
    fn scale(&self, name: &str) -> Result<f32, Error> {
        let tensor = format!("{name}.weight_scale");
        let stored = self.get(&tensor)?;
        let elements: usize = stored.shape.iter().product();
        if elements != 1 {
            let text = format!("shape {:?}; expected one scale a matrix", stored.shape);
            return Err(wrong(&stored, &tensor, text));
        }
        let stored_scale = real_values(&stored, &tensor)?[0];
        let scale = match self.convention {
            ScaleConvention::Multiply => stored_scale,
            ScaleConvention::Divide => 1.0 / stored_scale,
        };
        if !(scale.is_finite() && scale > 0.0) {
            let text = format!("the scale is {stored_scale}; expected a positive finite number");
            return Err(wrong(&stored, &tensor, text));
        }
        Ok(scale)
    }
}

fn wrong(stored: &Stored<'_>, name: &str, text: String) -> Error {
    Error::Tensor { path: stored.path.into(), tensor: name.into(), text }
}

fn expect_shape(stored: &Stored<'_>, name: &str, shape: &[usize]) -> Result<(), Error> {
    if stored.shape == shape {
        return Ok(());
    }
    let text = format!(
        "shape {:?}; expected {shape:?} by config.json: the two files do not belong together",
        stored.shape
    );
    Err(wrong(stored, name, text))
}

/// The values of a real tensor; f32, bf16 and f16 are read.
pub fn real_values(stored: &Stored<'_>, name: &str) -> Result<Vec<f32>, Error> {
    let pairs = || stored.bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    match stored.dtype {
        Dtype::F32 => Ok(stored
            .bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()),
        Dtype::BF16 => Ok(pairs().map(|b| f32::from_bits(u32::from(b) << 16)).collect()),
        Dtype::F16 => Ok(pairs().map(half_to_single).collect()),
        other => Err(wrong(
            stored,
            name,
            format!("elements of type {other:?}; expected F32, BF16 or F16"),
        )),
    }
}

/// IEEE binary16 to binary32, exact.
fn half_to_single(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2.0_f32.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_rows_lie_a_quarter_apart() {
        // Rows 0..4 of a 4 x 2 matrix: one byte a column.
        let byte = |codes: [u8; 4]| codes.iter().rev().fold(0, |b, c| b << 2 | c);
        let bytes = [byte([2, 1, 0, 1]), byte([0, 0, 2, 3])];
        let codes = unpack_codes(&bytes, 4, 2);
        assert_eq!(codes.weights, [1, -1, 0, -1, -1, 1, 0, 0]);
        assert_eq!(codes.illegal, 1);
        // Five rows: R = 2, row 4 is byte row 0 again, third code.
        let codes = unpack_codes(&[byte([2, 1, 0, 1]), byte([1, 1, 1, 1])], 5, 1);
        assert_eq!(codes.weights, [1, 0, 0, 0, -1]);
    }

    #[test]
    fn halves_convert_exactly() {
        for (bits, value) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 2.0_f32.powi(-24)), (0x7bff, 65504.0)]
        {
            assert_eq!(half_to_single(bits), value);
        }
        assert!(half_to_single(0x7e00).is_nan());
        assert_eq!(half_to_single(0xfc00), f32::NEG_INFINITY);
    }
}
