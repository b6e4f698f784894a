//! Types of elements: their numbers, their blocks, and the numbers that two dialects use for
//! different types.

/// What the elements of a tensor are stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ElementType {
    F32,
    F16,
    Bf16,
    Q8_0,
    Q4K,
    Q6K,
    Tq1_0,
    Tq2_0,
    /// Two bits a weight and one scale a tensor, as the BitNet fork stores it on x86.
    I2S,
    /// Known by name and not read.
    Other(&'static Other),
}

/// A type that is known by name and not read.
#[derive(Debug, PartialEq, Eq)]
pub struct Other {
    id: u32,
    name: &'static str,
    /// Elements of a block; 0 where the size follows from the next tensor alone.
    block: u64,
    /// Bytes of a block.
    bytes: u64,
    /// Why it is not read, and what to do.
    why: &'static str,
}

const READ: [ElementType; 9] = [
    ElementType::F32,
    ElementType::F16,
    ElementType::Bf16,
    ElementType::Q8_0,
    ElementType::Q4K,
    ElementType::Q6K,
    ElementType::Tq1_0,
    ElementType::Tq2_0,
    ElementType::I2S,
];

const PLAIN: &str = "convert the model with F16, BF16, Q8_0 or Q6_K for embeddings and TQ2_0, TQ1_0 or \
                     I2_S for ternary weights";
const REMOVED: &str = "llama.cpp removed this type; convert the model again from its safetensors";
const PERMUTED: &str = "its weights are permuted for the lookup kernels of one CPU and one model, by \
                        tables that are not in the file: convert the safetensors, or take the I2_S file";

const fn other(id: u32, name: &'static str, block: u64, bytes: u64) -> Other {
    Other { id, name, block, bytes, why: PLAIN }
}

/// Types that only have a name here.
static OTHERS: [Other; 26] = [
    other(2, "Q4_0", 32, 18),
    other(3, "Q4_1", 32, 20),
    other(6, "Q5_0", 32, 22),
    other(7, "Q5_1", 32, 24),
    other(10, "Q2_K", 256, 84),
    other(11, "Q3_K", 256, 110),
    other(13, "Q5_K", 256, 176),
    other(16, "IQ2_XXS", 256, 66),
    other(17, "IQ2_XS", 256, 74),
    other(18, "IQ3_XXS", 256, 98),
    other(19, "IQ1_S", 256, 50),
    other(20, "IQ4_NL", 32, 18),
    other(21, "IQ3_S", 256, 110),
    other(22, "IQ2_S", 256, 82),
    other(23, "IQ4_XS", 256, 136),
    other(24, "I8", 1, 1),
    other(25, "I16", 1, 2),
    other(26, "I32", 1, 4),
    other(27, "I64", 1, 8),
    other(28, "F64", 1, 8),
    other(29, "IQ1_M", 256, 56),
    other(40, "NVFP4", 64, 36),
    other(41, "Q1_0", 128, 18),
    Other { id: 31, name: "Q4_0_4_4", block: 32, bytes: 18, why: REMOVED },
    Other { id: 32, name: "Q4_0_4_8", block: 32, bytes: 18, why: REMOVED },
    Other { id: 33, name: "Q4_0_8_8", block: 32, bytes: 18, why: REMOVED },
];

static IQ4_NL_4_4: Other = Other { id: 36, name: "IQ4_NL_4_4", block: 32, bytes: 18, why: REMOVED };
static IQ4_NL_4_8: Other = Other { id: 37, name: "IQ4_NL_4_8", block: 32, bytes: 18, why: REMOVED };
static IQ4_NL_8_8: Other = Other { id: 38, name: "IQ4_NL_8_8", block: 32, bytes: 18, why: REMOVED };
static MXFP4: Other = other(39, "MXFP4", 32, 17);
static I8_S: Other = Other { id: 37, name: "I8_S", block: 0, bytes: 0, why: PLAIN };
static TL1: Other = Other { id: 38, name: "TL1", block: 0, bytes: 0, why: PERMUTED };
static TL2: Other = Other { id: 39, name: "TL2", block: 0, bytes: 0, why: PERMUTED };

/// Bytes after the blocks of an I2_S tensor: its scale, padded.
pub const I2S_TAIL: u64 = 32;

impl ElementType {
    /// The name that software of GGUF gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q4K => "Q4_K",
            Self::Q6K => "Q6_K",
            Self::Tq1_0 => "TQ1_0",
            Self::Tq2_0 => "TQ2_0",
            Self::I2S => "I2_S",
            Self::Other(other) => other.name,
        }
    }

    /// Its number in the file.
    pub fn id(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => 8,
            Self::Q4K => 12,
            Self::Q6K => 14,
            Self::Bf16 => 30,
            Self::Tq1_0 => 34,
            Self::Tq2_0 => 35,
            Self::I2S => 36,
            Self::Other(other) => other.id,
        }
    }

    /// Elements and bytes of a block; a row has a whole number of blocks.
    pub fn block(self) -> (u64, u64) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (256, 144),
            Self::Q6K => (256, 210),
            Self::Tq1_0 => (256, 54),
            Self::Tq2_0 => (256, 66),
            Self::I2S => (128, 32),
            Self::Other(other) => (other.block.max(1), other.bytes),
        }
    }

    /// Why it is not read and what to do; nothing for types that are.
    pub fn refusal(self) -> Option<String> {
        match self {
            Self::Other(other) if other.why == PERMUTED => Some(format!(
                "type {}, {} of the BitNet fork (mainline llama.cpp has or had another type of that \
                 number); {}",
                other.id, other.name, other.why
            )),
            Self::Other(other) => Some(format!(
                "type {}, {}, which this version does not read; {}",
                other.id, other.name, other.why
            )),
            _ => None,
        }
    }

    /// Whether only the BitNet fork writes it.
    pub fn of_the_fork(self) -> bool {
        self == Self::I2S
            || matches!(self, Self::Other(other) if [&I8_S, &TL1, &TL2].contains(&other))
    }

    /// Bytes of a tensor of this shape, without padding. The text of an error says what is wrong.
    pub(crate) fn bytes(self, shape: &[u64]) -> Result<u64, String> {
        let (block, size) = self.block();
        check_shape(shape)?;
        let row = shape[0];
        if !row.is_multiple_of(block) {
            return Err(format!(
                "rows of {row} elements; {} has blocks of {block}, expected a multiple of it",
                self.name()
            ));
        }
        // No overflow: there are fewer than 2^48 elements, and no block has 2^15 bytes.
        let bytes = shape[1..].iter().product::<u64>() * (row / block) * size;
        Ok(bytes + if self == Self::I2S { I2S_TAIL } else { 0 })
    }

    /// The type that a number stands for, and the bytes of the tensor. Two dialects use some numbers
    /// for different types; there the room up to the next tensor, `room`, decides.
    pub(crate) fn resolve(
        id: u32,
        shape: &[u64],
        room: u64,
        alignment: u64,
    ) -> Result<(Self, u64), String> {
        check_shape(shape)?;
        let fits = |element: Self| {
            let bytes = element.bytes(shape).ok()?;
            (bytes.next_multiple_of(alignment) == room.next_multiple_of(alignment) && bytes <= room)
                .then_some((element, bytes))
        };
        let either = |candidates: &[Self], unsized_: Option<&'static Other>| {
            let known = candidates.iter().find_map(|element| fits(*element));
            known.or(unsized_.map(|other| (Self::Other(other), room)))
        };
        let found = match id {
            36 => either(&[Self::I2S, Self::Other(&IQ4_NL_4_4)], None),
            37 => either(&[Self::Other(&IQ4_NL_4_8)], Some(&I8_S)),
            38 => either(&[Self::Other(&IQ4_NL_8_8)], Some(&TL1)),
            39 => either(&[Self::Other(&MXFP4)], Some(&TL2)),
            _ => {
                let read = READ.into_iter().find(|element| element.id() == id);
                let others = || OTHERS.iter().find(|other| other.id == id).map(Self::Other);
                let Some(element) = read.or_else(others) else {
                    return Err(format!(
                        "type {id}, which no dialect known here has; convert the model with F16 for \
                         embeddings and TQ2_0 for ternary weights"
                    ));
                };
                return Ok((element, element.bytes(shape)?));
            }
        };
        found.ok_or_else(|| {
            format!(
                "type {id} is I2_S in the BitNet fork and was IQ4_NL_4_4 in mainline llama.cpp; its \
                 {room} bytes fit neither for shape {shape:?}: the file is damaged or of another dialect"
            )
        })
    }
}

/// Every dimension is there, and the elements can be counted.
fn check_shape(shape: &[u64]) -> Result<(), String> {
    if shape.is_empty() || shape.contains(&0) {
        return Err(format!("shape {shape:?}; expected no dimension of 0: the file is damaged"));
    }
    match shape.iter().try_fold(1_u64, |all, n| all.checked_mul(*n)) {
        Some(elements) if elements < 1 << 48 => Ok(()),
        _ => {
            Err(format!("shape {shape:?} has more elements than any file can hold: it is damaged"))
        }
    }
}

impl std::fmt::Display for ElementType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
