//! Rounding: one enum for every place where a real number becomes an integer.

/// How a real number becomes an integer.
///
/// The contract uses [`Round::HalfEven`] wherever a binary32 value is quantised (activations,
/// weights, K, V, scores) and [`Round::HalfUp`] where an integer is shifted right (attention
/// weights). The other modes name what other systems do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// To nearest, ties to even (IEEE-754 roundTiesToEven; `torch.round`).
    HalfEven,
    /// To nearest, ties towards plus infinity (add one half, then floor).
    HalfUp,
    /// To nearest, ties away from zero (C's `round`).
    HalfAway,
    /// Towards zero.
    Truncate,
}

impl Round {
    /// All modes, in the order of the table in `docs/arithmetic.md`.
    pub const ALL: [Round; 4] = [Round::HalfEven, Round::HalfUp, Round::HalfAway, Round::Truncate];

    /// Rounds `x` to an integer of `bits` bits in two's complement, saturating. NaN gives 0.
    pub fn to_int(self, x: f32, bits: u32) -> i32 {
        debug_assert!((2..=32).contains(&bits));
        let rounded = match self {
            Round::HalfEven => x.round_ties_even(),
            // Exact for every binary32: the sum is taken in binary64.
            Round::HalfUp => (f64::from(x) + 0.5).floor() as f32,
            Round::HalfAway => x.round(),
            Round::Truncate => x.trunc(),
        };
        let top = ((1_i64 << (bits - 1)) - 1) as i32;
        // `as` saturates at the ends of i32 and maps NaN to 0.
        (rounded as i32).clamp(-top - 1, top)
    }

    /// `x / 2^shift` rounded to an integer. Only for non-negative `x`.
    pub fn shift_right(self, x: u64, shift: u32) -> u64 {
        if shift == 0 {
            return x;
        }
        let (floor, rest, half) = (x >> shift, x & ((1 << shift) - 1), 1_u64 << (shift - 1));
        floor
            + match self {
                Round::HalfEven => u64::from(rest > half || (rest == half && floor & 1 == 1)),
                Round::HalfUp | Round::HalfAway => u64::from(rest >= half),
                Round::Truncate => 0,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `docs/arithmetic.md`, printed and compared.
    #[test]
    fn modes_on_ties() {
        let inputs = [-2.5_f32, -1.5, -0.5, 0.5, 1.5, 2.5];
        let expected = [
            (Round::HalfEven, [-2, -2, 0, 0, 2, 2]),
            (Round::HalfUp, [-2, -1, 0, 1, 2, 3]),
            (Round::HalfAway, [-3, -2, -1, 1, 2, 3]),
            (Round::Truncate, [-2, -1, 0, 0, 1, 2]),
        ];
        let document = include_str!("../../docs/arithmetic.md");
        for (mode, want) in expected {
            let got = inputs.map(|x| mode.to_int(x, 8));
            let cells: Vec<_> = got.iter().map(i32::to_string).collect();
            let row = format!("| `{mode:?}` | {} |", cells.join(" | "));
            println!("{row}");
            assert_eq!(got, want, "{mode:?}");
            assert!(document.contains(&row), "docs/arithmetic.md lacks the row {row}");
        }
    }

    #[test]
    fn special_values_saturate() {
        for mode in Round::ALL {
            assert_eq!(mode.to_int(f32::NAN, 8), 0);
            assert_eq!(mode.to_int(f32::INFINITY, 8), 127);
            assert_eq!(mode.to_int(f32::NEG_INFINITY, 8), -128);
            assert_eq!(mode.to_int(1e30, 24), (1 << 23) - 1);
        }
    }

    #[test]
    fn shifts_round_like_the_real_quotient() {
        for x in 0..512_u64 {
            for shift in 0..6 {
                let real = x as f32 / (1_u64 << shift) as f32;
                for mode in Round::ALL {
                    assert_eq!(mode.shift_right(x, shift), mode.to_int(real, 32) as u64);
                }
            }
        }
    }
}
