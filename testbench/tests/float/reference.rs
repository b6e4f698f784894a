//! What IEEE 754 says, in exact integer arithmetic, for any small format; and the processor's own
//! `f32` for binary32.

/// A binary floating point format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Bits of the exponent.
    pub exp: u32,
    /// Bits of the mantissa.
    pub man: u32,
    /// Whether the processor computes it: it is binary32.
    pub native: bool,
}

/// A number taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Nan,
    Infinite(bool),
    /// sign, m, e: (-1)^sign * m * 2^e
    Finite(bool, u128, i32),
}
use Value::{Finite, Infinite, Nan};

impl Format {
    /// binary32.
    pub const SINGLE: Format = Format { exp: 8, man: 23, native: true };

    /// A format for exact arithmetic.
    pub const fn exact(exp: u32, man: u32) -> Self {
        Format { exp, man, native: false }
    }

    /// Bits of a number.
    pub fn width(self) -> u32 {
        1 + self.exp + self.man
    }

    fn bias(self) -> i32 {
        (1 << (self.exp - 1)) - 1
    }

    fn top(self) -> u32 {
        (1 << self.exp) - 1
    }

    /// The canonical NaN.
    pub fn nan(self) -> u32 {
        self.top() << self.man | 1 << (self.man - 1)
    }

    fn signed(self, sign: bool, magnitude: u32) -> u32 {
        u32::from(sign) << (self.exp + self.man) | magnitude
    }

    fn infinity(self, sign: bool) -> u32 {
        self.signed(sign, self.top() << self.man)
    }

    fn decode(self, bits: u32) -> Value {
        let sign = bits >> (self.exp + self.man) & 1 == 1;
        let exponent = bits >> self.man & self.top();
        let mantissa = bits & ((1 << self.man) - 1);
        let low = 1 - self.bias() - self.man as i32;
        if exponent == self.top() {
            return if mantissa == 0 { Infinite(sign) } else { Nan };
        }
        match exponent {
            0 => Finite(sign, mantissa.into(), low),
            _ => Finite(sign, (mantissa | 1 << self.man).into(), low + exponent as i32 - 1),
        }
    }

    /// The nearest number to m * 2^e (and a little more, if sticky), ties to even.
    fn round(self, sign: bool, m: u128, e: i32, sticky: bool) -> u32 {
        if m == 0 {
            assert!(!sticky, "the reference kept too few bits");
            return self.signed(sign, 0);
        }
        let length = 128 - m.leading_zeros() as i32;
        let low = 1 - self.bias() - self.man as i32; // the exponent of the last place of subnormals
        let last = (length - 1 + e - self.man as i32).max(low);
        let kept = if last <= e {
            assert!(!sticky, "the reference kept too few bits");
            m << (e - last)
        } else {
            let drop = (last - e) as u32;
            let (whole, rest) =
                if drop > 127 { (0, m) } else { (m >> drop, m & ((1 << drop) - 1)) };
            let half = if drop > 127 { u128::MAX } else { 1 << (drop - 1) };
            let up = rest > half || (rest == half && (sticky || whole & 1 == 1));
            whole + u128::from(up)
        };
        let packed = (((last - low) as u128) << self.man) + kept;
        let infinity = u128::from(self.top()) << self.man;
        self.signed(sign, packed.min(infinity) as u32)
    }

    /// a + b.
    pub fn add(self, a: u32, b: u32) -> u32 {
        if self.native {
            return canonical(f32::from_bits(a) + f32::from_bits(b));
        }
        match (self.decode(a), self.decode(b)) {
            (Nan, _) | (_, Nan) => self.nan(),
            (Infinite(s), Infinite(t)) if s != t => self.nan(),
            (Infinite(s), _) | (_, Infinite(s)) => self.infinity(s),
            (Finite(s, m, e), Finite(t, n, f)) => {
                let low = e.min(f);
                let term = |s: bool, m: u128, e: i32| {
                    let m = (m << (e - low)) as i128;
                    if s { -m } else { m }
                };
                let sum = term(s, m, e) + term(t, n, f);
                let sign = if sum == 0 { s && t } else { sum < 0 };
                self.round(sign, sum.unsigned_abs(), low, false)
            }
        }
    }

    /// a * b.
    pub fn mul(self, a: u32, b: u32) -> u32 {
        if self.native {
            return canonical(f32::from_bits(a) * f32::from_bits(b));
        }
        match (self.decode(a), self.decode(b)) {
            (Nan, _) | (_, Nan) => self.nan(),
            (Infinite(_), Finite(_, 0, _)) | (Finite(_, 0, _), Infinite(_)) => self.nan(),
            (Infinite(s), Infinite(t) | Finite(t, ..)) | (Finite(s, ..), Infinite(t)) => {
                self.infinity(s != t)
            }
            (Finite(s, m, e), Finite(t, n, f)) => self.round(s != t, m * n, e + f, false),
        }
    }

    /// a / b.
    pub fn div(self, a: u32, b: u32) -> u32 {
        if self.native {
            return canonical(f32::from_bits(a) / f32::from_bits(b));
        }
        match (self.decode(a), self.decode(b)) {
            (Nan, _) | (_, Nan) => self.nan(),
            (Infinite(_), Infinite(_)) | (Finite(_, 0, _), Finite(_, 0, _)) => self.nan(),
            (Infinite(s), Finite(t, ..)) | (Finite(s, ..), Finite(t, 0, _)) => {
                self.infinity(s != t)
            }
            (Finite(s, ..), Infinite(t)) => self.signed(s != t, 0),
            (Finite(s, m, e), Finite(t, n, f)) => {
                let m = m << 64;
                self.round(s != t, m / n, e - f - 64, m % n != 0)
            }
        }
    }

    /// The square root of a.
    pub fn sqrt(self, a: u32) -> u32 {
        if self.native {
            return canonical(f32::from_bits(a).sqrt());
        }
        match self.decode(a) {
            Nan | Infinite(true) => self.nan(),
            Infinite(false) => self.infinity(false),
            Finite(s, 0, _) => self.signed(s, 0),
            Finite(true, ..) => self.nan(),
            Finite(false, m, e) => {
                let shift = 80 + e.rem_euclid(2);
                let m = m << shift;
                let root = m.isqrt();
                self.round(false, root, (e - shift) / 2, root * root != m)
            }
        }
    }

    /// The nearest number to an integer.
    pub fn of_int(self, n: i64) -> u32 {
        if self.native {
            return (n as f32).to_bits();
        }
        self.round(n < 0, n.unsigned_abs().into(), 0, false)
    }

    /// The nearest integer of so many bits, ties to even.
    pub fn to_int(self, a: u32, bits: u32) -> i64 {
        let (low, high) = (-1_i64 << (bits - 1), (1_i64 << (bits - 1)) - 1);
        if self.native {
            return (f32::from_bits(a).round_ties_even() as i64).clamp(low, high);
        }
        match self.decode(a) {
            Nan => 0,
            Infinite(s) => [high, low][usize::from(s)],
            Finite(s, m, e) => {
                let whole = if e >= 0 {
                    m.checked_shl(e as u32).filter(|w| w >> e == m && e < 64).unwrap_or(1 << 100)
                } else if -e > 127 {
                    0
                } else {
                    let (whole, rest, half) = (m >> -e, m & ((1 << -e) - 1), 1_u128 << (-e - 1));
                    whole + u128::from(rest > half || (rest == half && whole & 1 == 1))
                } as i128;
                (if s { -whole } else { whole }).clamp(low.into(), high.into()) as i64
            }
        }
    }
}

fn canonical(value: f32) -> u32 {
    if value.is_nan() { Format::SINGLE.nan() } else { value.to_bits() }
}

/// The exact arithmetic, against values known from elsewhere.
pub fn check_known_values() {
    let half = Format::exact(5, 10);
    assert_eq!(half.add(0x3c00, 0x3c00), 0x4000); // 1 + 1
    assert_eq!(half.add(0x3c00, 0xbc00), 0x0000);
    assert_eq!(half.add(0x8000, 0x8000), 0x8000);
    assert_eq!(half.mul(0x7bff, 0x4000), 0x7c00); // the largest, twice
    assert_eq!(half.mul(0x0001, 0x3800), 0x0000); // half the smallest: the tie goes to 0
    assert_eq!(half.mul(0x0003, 0x3800), 0x0002);
    assert_eq!(half.div(0x3c00, 0x4200), 0x3555); // 1/3
    assert_eq!(half.div(0x3c00, 0x8000), 0xfc00);
    assert_eq!(half.sqrt(0x4000), 0x3da8);
    assert_eq!(half.sqrt(0x8000), 0x8000);
    assert_eq!(half.of_int(2049), 0x6800); // a tie, to 2048
    assert_eq!(half.of_int(-2051), 0xe802);
    assert_eq!(half.of_int(65520), 0x7c00);
    assert_eq!((half.to_int(0x3800, 8), half.to_int(0x3e00, 8)), (0, 2));
    assert_eq!((half.to_int(0x7c00, 8), half.to_int(0xd800, 8)), (127, -128));
}
