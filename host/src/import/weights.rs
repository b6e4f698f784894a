//! Tensors to numbers: real rows, packed and unpacked ternary matrices.

use super::{ScaleConvention, Stored, TensorFiles};
use crate::Error;
use safetensors::Dtype;
use std::ops::Range;
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
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// The files.
    pub tensors: &'a TensorFiles,
    /// What scales mean.
    pub convention: ScaleConvention,
    /// Whether real weights without a scale are made ternary.
    pub ternary_on_load: bool,
}

impl<'a> Reader<'a> {
    /// A tensor that must be there.
    pub fn get(&self, name: &str) -> Result<Stored<'a>, Error> {
        self.tensors.get(name).ok_or_else(|| Error::Tensor {
            path: self.tensors.path().into(),
            tensor: name.into(),
            text: "missing; the checkpoint is incomplete or of another architecture".into(),
        })
    }

    /// A real vector of `n` elements; every value must be finite.
    pub fn vector(&self, name: &str, n: usize) -> Result<Vec<f32>, Error> {
        let stored = self.get(name)?;
        expect_shape(&stored, &[n])?;
        reals(&stored, 0..n)
    }

    /// Rows of a real matrix of `rows x cols`; every value must be finite.
    pub fn rows(
        &self,
        name: &str,
        (rows, cols): (usize, usize),
        range: Range<usize>,
    ) -> Result<Vec<f32>, Error> {
        let stored = self.get(name)?;
        expect_shape(&stored, &[rows, cols])?;
        reals(&stored, range.start * cols..range.end * cols)
    }

    /// A ternary matrix: packed (`uint8` with a scale), real numbers that are trits already, with a
    /// scale, or real weights (made ternary here).
    pub fn ternary(&self, name: &str, rows: usize, cols: usize) -> Result<Ternary, Error> {
        let stored = self.get(&format!("{name}.weight"))?;
        if stored.dtype == Dtype::U8 {
            expect_shape(&stored, &[packed_rows(rows), cols])?;
            let codes = unpack_codes(&stored.bytes()?, rows, cols);
            return match codes.illegal {
                0 => Ok(Ternary::new(rows, cols, codes.weights, self.scale(name)?)?),
                n => Err(stored.wrong(format!(
                    "{n} weights have the code 3; expected 0, 1 or 2: the tensor is damaged"
                ))),
            };
        }
        expect_shape(&stored, &[rows, cols])?;
        let real = reals(&stored, 0..rows * cols)?;
        if self.tensors.get(&format!("{name}.weight_scale")).is_none() {
            return match self.ternary_on_load {
                true => Ok(Ternary::absmean(rows, cols, &real)?),
                false => Err(stored.wrong(
                    "real weights without a weight_scale; expected packed ones by config.json, or \
                     quantization_mode \"online\"",
                )),
            };
        }
        // A scale beside real numbers: they are the trits themselves, or nothing that we know.
        if let Some(w) = real.iter().find(|w| ![-1.0, 0.0, 1.0].contains(*w)) {
            return Err(stored.wrong(format!(
                "holds {w} and has a weight_scale; expected -1, 0 and 1 beside a scale, or real weights \
                 without one"
            )));
        }
        let trits = real.iter().map(|w| *w as i8).collect();
        Ok(Ternary::new(rows, cols, trits, self.scale(name)?)?)
    }

    /// The multiplier of a packed matrix.
    fn scale(&self, name: &str) -> Result<f32, Error> {
        let stored = self.get(&format!("{name}.weight_scale"))?;
        if stored.shape.iter().product::<usize>() != 1 {
            let text = format!("shape {:?}; expected one scale a matrix", stored.shape);
            return Err(stored.wrong(text));
        }
        let mut found = f32::NAN;
        stored.reals(0..1, |values| {
            found = values[0];
            Ok(())
        })?;
        let scale = match self.convention {
            ScaleConvention::Multiply => found,
            ScaleConvention::Divide => 1.0 / found,
        };
        match scale.is_finite() && scale > 0.0 {
            true => Ok(scale),
            false => {
                Err(stored
                    .wrong(format!("the scale is {found}; expected a positive finite number")))
            }
        }
    }
}

fn expect_shape(stored: &Stored<'_>, shape: &[usize]) -> Result<(), Error> {
    match stored.shape == shape {
        true => Ok(()),
        false => Err(stored.wrong(format!(
            "shape {:?}; expected {shape:?} by config.json: the two files do not belong together",
            stored.shape
        ))),
    }
}

/// Elements of a tensor; every one must be finite.
fn reals(stored: &Stored<'_>, elements: Range<usize>) -> Result<Vec<f32>, Error> {
    let first = elements.start;
    let mut all = Vec::with_capacity(elements.len());
    stored.reals(elements, |values| {
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let (at, found) = (first + all.len() + at, values[at]);
            let text = format!("element {at} is {found}; expected finite numbers");
            return Err(stored.wrong(text));
        }
        all.extend_from_slice(values);
        Ok(())
    })?;
    Ok(all)
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
}
