//! Metadata values: thirteen types, of which an array holds any other.

/// The type of a value, by its number in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Kind {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl Kind {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::String,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    /// The kind of a number.
    pub fn of(id: u32) -> Option<Self> {
        Self::ALL.get(id as usize).copied()
    }

    /// Bytes of a value; none for strings and arrays.
    pub fn bytes(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::String | Self::Array => None,
        }
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    Array(Array),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// An array as it lies in the file; its strings, where it has any, are UTF-8.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    kind: Kind,
    count: u64,
    bytes: Vec<u8>,
}

impl Array {
    /// From the bytes of the file, which were checked.
    pub(crate) fn new(kind: Kind, count: u64, bytes: Vec<u8>) -> Self {
        Self { kind, count, bytes }
    }

    /// Of strings.
    pub fn strings<'a>(items: impl IntoIterator<Item = &'a str>) -> Self {
        let mut array = Self::new(Kind::String, 0, Vec::new());
        for item in items {
            put_string(&mut array.bytes, item);
            array.count += 1;
        }
        array
    }

    /// Of 32-bit integers.
    pub fn i32s(items: &[i32]) -> Self {
        let bytes = items.iter().flat_map(|item| item.to_le_bytes()).collect();
        Self::new(Kind::I32, items.len() as u64, bytes)
    }

    /// Of binary32.
    pub fn f32s(items: &[f32]) -> Self {
        let bytes = items.iter().flat_map(|item| item.to_le_bytes()).collect();
        Self::new(Kind::F32, items.len() as u64, bytes)
    }

    /// Type of the items.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Number of items.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The strings, if the items are strings.
    pub fn as_strings(&self) -> Option<impl Iterator<Item = &str>> {
        (self.kind == Kind::String).then(|| {
            let mut rest = self.bytes.as_slice();
            std::iter::from_fn(move || {
                let (length, text) = rest.split_first_chunk()?;
                let (text, after) = text.split_at_checked(u64::from_le_bytes(*length) as usize)?;
                rest = after;
                std::str::from_utf8(text).ok()
            })
        })
    }

    /// The items, if they are numbers or booleans.
    pub fn as_values(&self) -> Option<impl Iterator<Item = Value> + '_> {
        let size = self.kind.bytes()?;
        Some(self.bytes.chunks_exact(size).filter_map(|bytes| Value::fixed(self.kind, bytes)))
    }
}

impl Value {
    /// A number or boolean from its bytes; none for other kinds, a wrong length, or a boolean that is
    /// neither 0 nor 1.
    pub(crate) fn fixed(kind: Kind, bytes: &[u8]) -> Option<Self> {
        Some(match kind {
            Kind::U8 => Self::U8(*bytes.first()?),
            Kind::I8 => Self::I8(*bytes.first()? as i8),
            Kind::Bool => Self::Bool(match bytes.first()? {
                0 => false,
                1 => true,
                _ => return None,
            }),
            Kind::U16 => Self::U16(u16::from_le_bytes(bytes.try_into().ok()?)),
            Kind::I16 => Self::I16(i16::from_le_bytes(bytes.try_into().ok()?)),
            Kind::U32 => Self::U32(u32::from_le_bytes(bytes.try_into().ok()?)),
            Kind::I32 => Self::I32(i32::from_le_bytes(bytes.try_into().ok()?)),
            Kind::F32 => Self::F32(f32::from_le_bytes(bytes.try_into().ok()?)),
            Kind::U64 => Self::U64(u64::from_le_bytes(bytes.try_into().ok()?)),
            Kind::I64 => Self::I64(i64::from_le_bytes(bytes.try_into().ok()?)),
            Kind::F64 => Self::F64(f64::from_le_bytes(bytes.try_into().ok()?)),
            Kind::String | Kind::Array => return None,
        })
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::U8(_) => Kind::U8,
            Self::I8(_) => Kind::I8,
            Self::U16(_) => Kind::U16,
            Self::I16(_) => Kind::I16,
            Self::U32(_) => Kind::U32,
            Self::I32(_) => Kind::I32,
            Self::F32(_) => Kind::F32,
            Self::Bool(_) => Kind::Bool,
            Self::String(_) => Kind::String,
            Self::Array(_) => Kind::Array,
            Self::U64(_) => Kind::U64,
            Self::I64(_) => Kind::I64,
            Self::F64(_) => Kind::F64,
        }
    }

    /// An integer that is 0 or more, of whatever width.
    pub fn as_unsigned(&self) -> Option<u64> {
        match *self {
            Self::U8(v) => Some(v.into()),
            Self::U16(v) => Some(v.into()),
            Self::U32(v) => Some(v.into()),
            Self::U64(v) => Some(v),
            Self::I8(v) => v.try_into().ok(),
            Self::I16(v) => v.try_into().ok(),
            Self::I32(v) => v.try_into().ok(),
            Self::I64(v) => v.try_into().ok(),
            _ => None,
        }
    }

    /// A real number as binary32.
    pub fn as_real(&self) -> Option<f32> {
        match *self {
            Self::F32(v) => Some(v),
            Self::F64(v) => Some(v as f32),
            _ => None,
        }
    }

    /// The bytes of the value, without its type.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::U8(v) => out.push(*v),
            Self::I8(v) => out.extend(v.to_le_bytes()),
            Self::Bool(v) => out.push(u8::from(*v)),
            Self::U16(v) => out.extend(v.to_le_bytes()),
            Self::I16(v) => out.extend(v.to_le_bytes()),
            Self::U32(v) => out.extend(v.to_le_bytes()),
            Self::I32(v) => out.extend(v.to_le_bytes()),
            Self::F32(v) => out.extend(v.to_le_bytes()),
            Self::U64(v) => out.extend(v.to_le_bytes()),
            Self::I64(v) => out.extend(v.to_le_bytes()),
            Self::F64(v) => out.extend(v.to_le_bytes()),
            Self::String(v) => put_string(out, v),
            Self::Array(v) => {
                out.extend((v.kind as u32).to_le_bytes());
                out.extend(v.count.to_le_bytes());
                out.extend_from_slice(&v.bytes);
            }
        }
    }
}

/// A string as the file has it: its length and its bytes.
pub(crate) fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}
