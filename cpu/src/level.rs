//! Which instructions the kernels may use.

use std::sync::LazyLock;

/// Instruction sets that kernels are written for. Every level gives the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Whatever the target always has.
    Portable,
    /// AVX2.
    Avx2,
    /// AVX-512 F, BW, DQ, VL, VBMI and VNNI.
    Avx512,
}

/// Names the highest level that may be used; unknown names are refused by [`Level::best`].
pub const VARIABLE: &str = "TERNTABLE_SIMD";

static BEST: LazyLock<Result<Level, String>> =
    LazyLock::new(|| Level::limited(std::env::var(VARIABLE).ok().as_deref()));

impl Level {
    /// All, slowest first.
    pub const ALL: [Level; 3] = [Level::Portable, Level::Avx2, Level::Avx512];

    /// The name in [`VARIABLE`] and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }

    /// The best level of this machine that [`VARIABLE`] allows.
    pub fn best() -> Result<Self, crate::Error> {
        BEST.clone().map_err(crate::Error::Level)
    }

    /// Levels that this machine can run, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|level| level.is_available())
    }

    fn limited(limit: Option<&str>) -> Result<Self, String> {
        let allowed = match limit {
            None | Some("") => Level::Avx512,
            Some(name) => {
                let known = Self::ALL.into_iter().find(|level| level.as_str() == name);
                known.ok_or_else(|| {
                    format!("{VARIABLE} is {name:?}; expected portable, avx2 or avx512")
                })?
            }
        };
        Ok(Self::available().filter(|level| *level <= allowed).last().unwrap_or(Level::Portable))
    }

    #[cfg(target_arch = "x86_64")]
    fn is_available(self) -> bool {
        match self {
            Level::Portable => true,
            Level::Avx2 => is_x86_feature_detected!("avx2"),
            Level::Avx512 => {
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
        self == Level::Portable
    }

    /// Runs `f`, compiled with the level's instructions as far as it is inlined: plain loops become
    /// vector code of that level. Panics if the machine lacks them.
    #[inline(always)]
    pub fn run<R>(self, f: impl FnOnce() -> R) -> R {
        match self {
            Level::Portable => f(),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `checked` has seen the instructions.
            Level::Avx2 => unsafe { with_avx2(self.checked(), f) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `checked` has seen the instructions.
            Level::Avx512 => unsafe { with_avx512(self.checked(), f) },
            #[cfg(not(target_arch = "x86_64"))]
            _ => panic!("{} is not for this machine", self.as_str()),
        }
    }

    /// Panics unless the machine has the level's instructions.
    #[inline(always)]
    pub(crate) fn checked(self) -> Self {
        assert!(self.is_available(), "{} is not for this machine", self.as_str());
        self
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<R>(_: Level, f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn with_avx512<R>(_: Level, f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_lowers_the_level_and_never_raises_it() {
        assert_eq!(Level::limited(Some("portable")), Ok(Level::Portable));
        assert!(Level::limited(Some("avx2")).is_ok_and(|level| level <= Level::Avx2));
        assert_eq!(Level::limited(None), Ok(Level::available().last().unwrap()));
        let text = Level::limited(Some("sse9")).unwrap_err();
        assert!(text.contains("sse9") && text.contains("avx512"), "{text}");
    }
}
