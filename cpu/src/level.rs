//! Which instructions the kernels may use.

use std::sync::LazyLock;

/// Instruction sets that kernels are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Set {
    Portable,
    Avx2,
    Avx512,
}

/// The instructions that kernels use: plain ones, AVX2, or AVX-512 (F, BW, DQ, VL, VBMI and VNNI). A level
/// exists only where the machine has its instructions. Every level gives the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(Set);

/// Names the highest level that may be used; unknown names are refused by [`Level::best`].
pub const VARIABLE: &str = "TERNTABLE_SIMD";

static BEST: LazyLock<Result<Level, String>> =
    LazyLock::new(|| Level::limited(std::env::var(VARIABLE).ok().as_deref()));

impl Level {
    /// Whatever the target always has.
    pub const PORTABLE: Self = Self(Set::Portable);

    /// The name in [`VARIABLE`] and in reports.
    pub fn as_str(self) -> &'static str {
        self.0.as_str()
    }

    /// The best level of this machine that [`VARIABLE`] allows.
    pub fn best() -> Result<Self, crate::Error> {
        BEST.clone().map_err(crate::Error::Level)
    }

    /// Levels that this machine can run, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Set::ALL.into_iter().filter(|set| set.is_available()).map(Self)
    }

    pub(crate) fn set(self) -> Set {
        self.0
    }

    fn limited(limit: Option<&str>) -> Result<Self, String> {
        let allowed = match limit {
            None | Some("") => Set::Avx512,
            Some(name) => {
                let known = Set::ALL.into_iter().find(|set| set.as_str() == name);
                known.ok_or_else(|| {
                    format!("{VARIABLE} is {name:?}; expected portable, avx2 or avx512")
                })?
            }
        };
        Ok(Self::available().filter(|level| level.0 <= allowed).last().unwrap_or(Self::PORTABLE))
    }
}

impl Set {
    const ALL: [Set; 3] = [Set::Portable, Set::Avx2, Set::Avx512];

    fn as_str(self) -> &'static str {
        match self {
            Set::Portable => "portable",
            Set::Avx2 => "avx2",
            Set::Avx512 => "avx512",
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn is_available(self) -> bool {
        match self {
            Set::Portable => true,
            Set::Avx2 => is_x86_feature_detected!("avx2"),
            Set::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vbmi")
                    && is_x86_feature_detected!("avx512vnni")
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_available(self) -> bool {
        self == Set::Portable
    }
}

/// Functions whose plain loops are compiled once for every level, where they become its vector code; the
/// level comes first among their arguments.
macro_rules! at_every_level {
    ($(
        $(#[$meta:meta])*
        $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block
    )*) => {$(
        $(#[$meta])*
        #[inline]
        $vis fn $name(level: $crate::level::Level, $($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn plain($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2($($arg: $ty),*) $(-> $ret)? {
                plain($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
            fn avx512($($arg: $ty),*) $(-> $ret)? {
                plain($($arg),*)
            }

            match level.set() {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a level exists only where its instructions do.
                $crate::level::Set::Avx2 => unsafe { avx2($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a level exists only where its instructions do.
                $crate::level::Set::Avx512 => unsafe { avx512($($arg),*) },
                _ => plain($($arg),*),
            }
        }
    )*};
}
pub(crate) use at_every_level;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_lowers_the_level_and_never_raises_it() {
        assert_eq!(Level::limited(Some("portable")), Ok(Level::PORTABLE));
        assert!(Level::limited(Some("avx2")).is_ok_and(|level| level <= Level(Set::Avx2)));
        assert_eq!(Level::limited(None), Ok(Level::available().last().unwrap()));
        let text = Level::limited(Some("sse9")).unwrap_err();
        assert!(text.contains("sse9") && text.contains("avx512"), "{text}");
    }
}
