//! Tables of partial dot products, full and mirrored.
//!
//! A group of `G` activations has 3^G possible products with ternary weights. The *full* table holds
//! them all. The *mirrored* table uses that negated weights give the negated product: it holds the
//! values 0 and up, (3^G + 1) / 2 entries, and a lookup carries a sign (LUT Tensor Core, Mo et al.
//! 2024, calls this table symmetrisation).

/// Value of a group of trits in balanced ternary, `t0 + 3 t1 + 9 t2 + ...`.
pub fn value(trits: &[i8]) -> i16 {
    trits.iter().rev().fold(0, |v, &t| 3 * v + i16::from(t))
}

/// Which entries a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All 3^G products.
    Full,
    /// The products of value 0 and up; a lookup negates.
    Mirrored,
}

/// The table of one group of activations.
#[derive(Debug, Clone)]
pub struct Table {
    entries: Vec<i32>,
    /// Index of the product of value 0: 0 in a mirrored table.
    zero: i16,
}

impl Table {
    /// Builds the table of a group of 1 to 8 activations by plain dot products.
    pub fn build(kind: Kind, activations: &[i8]) -> Self {
        let top = (3_i32.pow(activations.len() as u32) - 1) / 2;
        let zero = if kind == Kind::Full { top } else { 0 };
        let entries = (-zero..=top).map(|v| product(v, activations)).collect();
        Self { entries, zero: zero as i16 }
    }

    /// The product of the group with the weights of value `v`.
    pub fn lookup(&self, v: i16) -> i32 {
        if self.zero == 0 {
            // All ones for a negative value: `(e ^ sign) - sign` negates without a branch.
            let sign = i32::from(v >> 15);
            (self.entries[v.unsigned_abs() as usize] ^ sign) - sign
        } else {
            self.entries[(v + self.zero) as usize]
        }
    }

    /// The entries in order of value.
    pub fn entries(&self) -> &[i32] {
        &self.entries
    }
}

/// Dot product of activations with the trits of the balanced ternary number `v`.
fn product(mut v: i32, activations: &[i8]) -> i32 {
    let mut sum = 0;
    for &a in activations {
        let trit = (v + 1).rem_euclid(3) - 1;
        sum += trit * i32::from(a);
        v = (v - trit) / 3;
    }
    sum
}

/// The order in which the card's builder makes the 14 entries of a mirrored table of G = 3:
/// neighbours differ by one in one weight, so each entry is the one before plus or minus one
/// activation (the idea of a minimal path through the table is Platinum's, 2025).
pub const WALK: [u8; 14] = [0, 1, 4, 3, 2, 11, 12, 13, 10, 9, 8, 5, 6, 7];

/// Builds a mirrored table of G = 3 by the card's walk; entry by entry equal to [`Table::build`].
pub fn build_by_walk(activations: &[i8; 3]) -> [i32; 14] {
    let mut table = [0; 14];
    for pair in WALK.windows(2) {
        let (from, to) = (i32::from(pair[0]), i32::from(pair[1]));
        let change = to - from;
        let weight = match change.abs() {
            1 => 0,
            3 => 1,
            _ => 2,
        };
        let step = i32::from(activations[weight]) * change.signum();
        table[to as usize] = table[from as usize] + step;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trits_of(mut n: usize, group: usize) -> Vec<i8> {
        (0..group)
            .map(|_| {
                let t = (n % 3) as i8 - 1;
                n /= 3;
                t
            })
            .collect()
    }

    fn corner_groups(group: usize) -> Vec<Vec<i8>> {
        let corners = [-128_i8, -127, -1, 0, 1, 126, 127];
        (0..corners.len().pow(group as u32))
            .map(|mut n| {
                (0..group)
                    .map(|_| {
                        let a = corners[n % corners.len()];
                        n /= corners.len();
                        a
                    })
                    .collect()
            })
            .collect()
    }

    #[test]
    fn full_and_mirrored_agree_for_every_group_content() {
        for group in 1..=4 {
            for activations in corner_groups(group) {
                let full = Table::build(Kind::Full, &activations);
                let mirrored = Table::build(Kind::Mirrored, &activations);
                for n in 0..3_usize.pow(group as u32) {
                    let trits = trits_of(n, group);
                    let dot: i32 = trits
                        .iter()
                        .zip(&activations)
                        .map(|(&t, &a)| i32::from(t) * i32::from(a))
                        .sum();
                    assert_eq!(full.lookup(value(&trits)), dot);
                    assert_eq!(mirrored.lookup(value(&trits)), dot);
                }
            }
        }
    }

    /// All 2^24 groups of three int8 activations: the walk, the mirrored and the full table agree.
    #[test]
    fn the_walk_builds_the_mirrored_table_for_all_activations() {
        for n in 0..1_u32 << 24 {
            let [a, b, c, _] = n.to_le_bytes().map(|x| x as i8);
            let (x, y, z) = (i32::from(a), i32::from(b), i32::from(c));
            let walked = build_by_walk(&[a, b, c]);
            let direct = [
                0,
                x,
                y - x,
                y,
                x + y,
                z - y - x,
                z - y,
                z - y + x,
                z - x,
                z,
                z + x,
                z + y - x,
                z + y,
                x + y + z,
            ];
            assert_eq!(walked, direct, "activations {a} {b} {c}");
            if n % 4099 == 0 {
                assert_eq!(walked[..], Table::build(Kind::Mirrored, &[a, b, c]).entries()[..]);
            }
        }
    }
}
