//! The card's commands: one definition, from which come encoder, decoder, the RTL's package and the
//! reference page.
//!
//! A command has 64 bytes: sixteen little-endian words of 32 bits. Word 0 holds the opcode in bits 7:0
//! and the wait mask in bits 15:8; everything else is a field of the definition below.

use thiserror::Error;

/// Bytes of a command.
pub const COMMAND_BYTES: usize = 64;
/// Version of the commands, in `begin`.
pub const VERSION: u16 = 2;
/// Magic of `begin`.
pub const BEGIN_MAGIC: u32 = 0x4242_5454;
/// Bit of an address that says that it lies in the state region.
pub const STATE: u64 = 1 << 39;

/// A unit of the card; its number is its bit in the wait mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Norm weights and rotary rows.
    Load,
    /// Ternary weights.
    Multiply,
    /// binary32 work.
    Vector,
    /// Attention.
    Attention,
    /// The vocabulary head.
    Head,
    /// Checksums.
    Check,
    /// Commands that the sequencer executes itself.
    Control,
}

impl Unit {
    /// The units that execute commands, in the order of their bits.
    pub const ALL: [Unit; 6] =
        [Unit::Load, Unit::Multiply, Unit::Vector, Unit::Attention, Unit::Head, Unit::Check];
}

/// Units that must have finished all their earlier commands before a command starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Waits(pub u8);

impl Waits {
    /// Nothing.
    pub const NONE: Waits = Waits(0);

    /// Waits for the units of a list.
    pub fn on(units: &[Unit]) -> Self {
        Self(units.iter().fold(0, |mask, unit| mask | 1 << *unit as u8))
    }

    /// Whether it waits for a unit.
    pub fn has(self, unit: Unit) -> bool {
        self.0 >> unit as u8 & 1 == 1
    }
}

/// What `project` makes of its rows.
pub mod kind {
    /// Queries.
    pub const Q: u8 = 0;
    /// Keys.
    pub const K: u8 = 1;
    /// Values.
    pub const V: u8 = 2;
}

/// What `normalise` reads.
pub mod source {
    /// X, `hidden` columns.
    pub const X: u8 = 0;
    /// Y, `heads * head_dim` columns.
    pub const Y_QUERY: u8 = 1;
    /// Y, `ffn` columns.
    pub const Y_FFN: u8 = 2;
}

/// A command of the definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandInfo {
    /// Name, in `snake_case`.
    pub name: &'static str,
    /// Name, in `CamelCase`.
    pub variant: &'static str,
    /// Bits 7:0 of word 0.
    pub opcode: u8,
    /// What executes it.
    pub unit: Unit,
    /// What it does.
    pub doc: &'static str,
    /// Its fields, in the order of their bits.
    pub fields: &'static [FieldInfo],
}

/// A field of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldInfo {
    /// Name.
    pub name: &'static str,
    /// Word that holds its lowest bit.
    pub word: usize,
    /// That bit.
    pub low: usize,
    /// Bits.
    pub bits: usize,
    /// Meaning.
    pub doc: &'static str,
}

/// A value that does not fit its field, or bytes that are no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CodeError {
    /// The value has more bits than the field.
    #[error("{command}: {field} is {value:#x}; it has {bits} bits")]
    Range {
        /// The command.
        command: &'static str,
        /// The field.
        field: &'static str,
        /// The value.
        value: u64,
        /// Bits of the field.
        bits: usize,
    },
    /// No command has this opcode.
    #[error("opcode {0:#04x} is no command")]
    Opcode(u8),
}

trait Field: Copy {
    fn raw(self) -> u64;
    fn from_bits(bits: u64) -> Self;
}

macro_rules! integer_field {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn raw(self) -> u64 {
                u64::from(self)
            }
            fn from_bits(bits: u64) -> Self {
                bits as $type
            }
        }
    )*};
}
integer_field!(u8, u16, u32, u64);

impl Field for bool {
    fn raw(self) -> u64 {
        u64::from(self)
    }
    fn from_bits(bits: u64) -> Self {
        bits != 0
    }
}

impl Field for f32 {
    fn raw(self) -> u64 {
        u64::from(self.to_bits())
    }
    fn from_bits(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
}

fn put(bytes: &mut [u8; COMMAND_BYTES], at: usize, bits: usize, value: u64) {
    for i in 0..bits {
        bytes[(at + i) / 8] |= ((value >> i & 1) as u8) << ((at + i) % 8);
    }
}

fn get(bytes: &[u8; COMMAND_BYTES], at: usize, bits: usize) -> u64 {
    (0..bits).fold(0, |value, i| value | u64::from(bytes[(at + i) / 8] >> ((at + i) % 8) & 1) << i)
}

macro_rules! commands {
    ($(
        #[doc = $doc:literal]
        $variant:ident $name:literal = $opcode:literal, $unit:ident {
            $( #[doc = $field_doc:literal] $field:ident: $type:ty = $word:literal, $low:literal, $bits:literal; )*
        }
    )*) => {
        /// A command.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub enum Command {
            $( #[doc = $doc] $variant { $( #[doc = $field_doc] $field: $type, )* }, )*
        }

        /// The definition of every command.
        pub const COMMANDS: &[CommandInfo] = &[
            $( CommandInfo {
                name: $name,
                variant: stringify!($variant),
                opcode: $opcode,
                unit: Unit::$unit,
                doc: $doc.trim_ascii(),
                fields: &[ $( FieldInfo {
                    name: stringify!($field),
                    word: $word,
                    low: $low,
                    bits: $bits,
                    doc: $field_doc.trim_ascii(),
                }, )* ],
            }, )*
        ];

        impl Command {
            /// Its definition.
            pub fn info(&self) -> &'static CommandInfo {
                let opcode = match self {
                    $( Command::$variant { .. } => $opcode, )*
                };
                COMMANDS.iter().find(|info| info.opcode == opcode).unwrap_or(&COMMANDS[0])
            }

            /// Its bytes.
            pub fn encode(&self, waits: Waits) -> Result<[u8; COMMAND_BYTES], CodeError> {
                let mut bytes = [0; COMMAND_BYTES];
                bytes[1] = waits.0;
                match *self {
                    $( Command::$variant { $( $field, )* } => {
                        bytes[0] = $opcode;
                        $(
                            let value = $field.raw();
                            if $bits < 64 && value >> ($bits % 64) != 0 {
                                return Err(CodeError::Range {
                                    command: $name,
                                    field: stringify!($field),
                                    value,
                                    bits: $bits,
                                });
                            }
                            put(&mut bytes, 32 * $word + $low, $bits, value);
                        )*
                    } )*
                }
                Ok(bytes)
            }

            /// The command of 64 bytes. Reserved bits are ignored.
            pub fn decode(bytes: &[u8; COMMAND_BYTES]) -> Result<(Waits, Self), CodeError> {
                let command = match bytes[0] {
                    $( $opcode => Command::$variant {
                        $( $field: Field::from_bits(get(bytes, 32 * $word + $low, $bits)), )*
                    }, )*
                    other => return Err(CodeError::Opcode(other)),
                };
                Ok((Waits(bytes[1]), command))
            }
        }
    };
}

commands! {
    /// Starts a program and gives the card the model's sizes and constants. First, and once.
    Begin "begin" = 0x01, Control {
        /// Version of the commands: 2.
        version: u16 = 0, 16, 16;
        /// 0x42425454.
        magic: u32 = 1, 0, 32;
        /// Hash of the card's configuration.
        config_hash: u64 = 2, 0, 64;
        /// Elements of the residual stream.
        hidden: u16 = 4, 0, 16;
        /// Elements of the feed-forward block.
        ffn: u16 = 4, 16, 16;
        /// Query heads.
        heads: u8 = 5, 0, 8;
        /// Key-value heads.
        kv_heads: u8 = 5, 8, 8;
        /// Elements of a head.
        head_dim: u16 = 5, 16, 16;
        /// Tokens.
        vocab: u32 = 6, 0, 32;
        /// Bits of an element of K and V: 4 or 8.
        kv_bits: u8 = 7, 0, 4;
        /// Gate: 0 ReLU squared, 1 SiLU.
        gate: bool = 7, 4, 1;
        /// Embeddings are the upper halves of binary32.
        embed_bf16: bool = 7, 5, 1;
        /// binary32: added to the mean square.
        eps: f32 = 8, 0, 32;
        /// binary32: 1 / hidden.
        inv_hidden: f32 = 9, 0, 32;
        /// binary32: 1 / (heads * head_dim).
        inv_query: f32 = 10, 0, 32;
        /// binary32: 1 / ffn.
        inv_ffn: f32 = 11, 0, 32;
        /// binary32: 256 log2(e) / sqrt(head_dim).
        score_constant: f32 = 12, 0, 32;
        /// Physical KV pages.
        pages: u32 = 13, 0, 32;
        /// Bytes of a KV head in a page.
        head_bytes: u32 = 14, 0, 32;
        /// Bytes of a KV page of a layer: kv_heads * head_bytes.
        page_bytes: u32 = 15, 0, 32;
    }
    /// Ends the program: waits for all units, completes the pass, interrupts. Last.
    End "end" = 0x02, Control {
    }
    /// Norm weights from memory to a bank of P.
    Load "load" = 0x10, Load {
        /// Bank of P.
        bank: bool = 0, 16, 1;
        /// Address of the binary32 values.
        address: u64 = 1, 0, 40;
        /// Number of them.
        columns: u32 = 3, 0, 32;
    }
    /// The rotary row of each slot's position from memory to R.
    LoadRope "load_rope" = 0x11, Load {
        /// Address of the table: a row a position, head_dim / 2 cosines, then as many sines, padded to a beat.
        address: u64 = 1, 0, 40;
        /// Positions in the table.
        positions: u32 = 3, 0, 32;
    }
    /// X of each slot becomes the embedding of its token; starts and finishes the sum of squares and the largest product of X and the norm's weights.
    Embed "embed" = 0x20, Vector {
        /// Bank of P that holds the weights of the norm that follows.
        bank: bool = 0, 19, 1;
        /// Address of the table: a row a token, padded to a beat.
        address: u64 = 1, 0, 40;
    }
    /// Takes a panel's sums: x += sum * (step * scale); goes on with the sum of squares and the largest product of X.
    Residual "residual" = 0x21, Vector {
        /// Finishes the sum of squares.
        last: bool = 0, 16, 1;
        /// Bank of P that holds the weights of the norm that follows.
        bank: bool = 0, 19, 1;
        /// First row of the panel; row 0 starts both.
        first_row: u32 = 1, 0, 32;
        /// Rows of the panel.
        rows: u32 = 2, 0, 32;
        /// binary32: scale of the matrix.
        scale: f32 = 3, 0, 32;
    }
    /// Takes a panel of two planes, gate and up: Y becomes the gated row; goes on with the sum of squares and the largest product of Y.
    Gate "gate" = 0x22, Vector {
        /// Finishes the sum of squares.
        last: bool = 0, 16, 1;
        /// Bank of P that holds the weights of the norm that follows.
        bank: bool = 0, 19, 1;
        /// First row of each plane; row 0 starts both.
        first_row: u32 = 1, 0, 32;
        /// Rows of each plane.
        rows: u32 = 2, 0, 32;
        /// binary32: scale of the gate's matrix.
        scale_gate: f32 = 3, 0, 32;
        /// binary32: scale of up's matrix.
        scale_up: f32 = 4, 0, 32;
    }
    /// Takes a panel's sums, whole heads: rotates Q and K, quantises each head, writes Q to the query buffer and K and V to the cache.
    Project "project" = 0x23, Vector {
        /// 0 Q, 1 K, 2 V.
        kind: u8 = 0, 16, 2;
        /// First head of the panel.
        first_head: u32 = 1, 0, 32;
        /// Heads of the panel.
        heads: u32 = 2, 0, 32;
        /// binary32: scale of the matrix.
        scale: f32 = 3, 0, 32;
        /// Address of the layer's KV area.
        kv_base: u64 = 4, 0, 40;
    }
    /// Sum of squares and largest product of Y over heads * head_dim columns.
    Square "square" = 0x24, Vector {
        /// Bank of P that holds the weights of the norm that follows.
        bank: bool = 0, 19, 1;
    }
    /// Norm and quantise, from the last sum of squares and the largest product since row 0: int8 to A, step.
    Normalise "normalise" = 0x25, Vector {
        /// 0 X (hidden), 1 Y (heads * head_dim), 2 Y (ffn).
        source: u8 = 0, 16, 2;
        /// Also to Q, as the head's input; only with source 0.
        to_queries: bool = 0, 18, 1;
        /// Bank of P that holds the weights.
        bank: bool = 0, 19, 1;
    }
    /// Multiplies a panel by A of every slot; the sums go to the consumer that follows in the program.
    Multiply "multiply" = 0x30, Multiply {
        /// Tiles alternate between two matrices.
        two_planes: bool = 0, 16, 1;
        /// 0: the sums go to the vector unit. 1: to the head.
        to_head: bool = 0, 17, 1;
        /// The command before is the normalise of its input: starts with it, and reads each block of A when all slots have it. Its mask names the vector unit.
        follows: bool = 0, 18, 1;
        /// Address of the panel.
        address: u64 = 1, 0, 40;
        /// Tiles of the panel, both planes together.
        tiles: u32 = 3, 0, 32;
        /// Blocks of columns.
        blocks: u32 = 4, 0, 32;
    }
    /// Attention of every slot and head over its sequence's pages; the result goes to Y.
    Attend "attend" = 0x40, Attention {
        /// Address of the layer's KV area.
        kv_base: u64 = 1, 0, 40;
    }
    /// Takes a panel's sums: each slot keeps the best 256 rows by sum * row weight.
    Screen "screen" = 0x50, Head {
        /// Forgets the rows of before.
        first: bool = 0, 16, 1;
        /// Token of the panel's first row.
        first_token: u32 = 1, 0, 32;
        /// Rows of the panel.
        rows: u32 = 2, 0, 32;
        /// Address of the rows' 16-bit weights.
        weights: u64 = 3, 0, 40;
    }
    /// Exact logits of each slot's candidates, ranked.
    Score "score" = 0x51, Head {
        /// Address of the head rows.
        address: u64 = 1, 0, 40;
    }
    /// Exact logits of every row; the best 256 a slot, ranked.
    ScoreAll "score_all" = 0x52, Head {
        /// Write every logit to the logits address of the descriptor.
        logits: bool = 0, 16, 1;
        /// Address of the head rows.
        address: u64 = 1, 0, 40;
    }
    /// Writes the ranked candidates of the slots that want them to the results address.
    Emit "emit" = 0x53, Head {
    }
    /// Compares the CRC-32C of pages of 4,096 bytes with a table.
    Check "check" = 0x60, Check {
        /// Address of the first page.
        address: u64 = 1, 0, 40;
        /// Pages.
        pages: u32 = 3, 0, 32;
        /// Address of the table of CRC values, four bytes each.
        crcs: u64 = 4, 0, 40;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::mix;

    #[test]
    fn fields_do_not_overlap_and_come_in_order() {
        for info in COMMANDS {
            let mut end = 16;
            for field in info.fields {
                let at = 32 * field.word + field.low;
                assert!(at >= end && field.low < 32, "{}.{}", info.name, field.name);
                end = at + field.bits;
                assert!(end <= 512);
            }
            let same = COMMANDS.iter().filter(|other| other.opcode == info.opcode).count();
            assert_eq!(same, 1, "{}", info.name);
        }
    }

    #[test]
    fn decoding_is_the_inverse_of_encoding() {
        for seed in 0..2000_u64 {
            let mut bytes: [u8; 64] = std::array::from_fn(|i| mix(seed ^ (i as u64) << 32) as u8);
            let info = &COMMANDS[seed as usize % COMMANDS.len()];
            bytes[0] = info.opcode;
            let (waits, command) = Command::decode(&bytes).unwrap();
            assert_eq!((command.info(), waits.0), (info, bytes[1]));
            let encoded = command.encode(waits).unwrap();
            // Every bit of a field comes back; reserved bits are zero.
            for field in info.fields {
                let at = 32 * field.word + field.low;
                assert_eq!(get(&encoded, at, field.bits), get(&bytes, at, field.bits));
            }
            assert_eq!(Command::decode(&encoded).unwrap().1.encode(waits), Ok(encoded));
        }
    }

    #[test]
    fn values_that_do_not_fit_and_unknown_opcodes_are_refused() {
        let error =
            Command::Embed { bank: false, address: 1 << 40 }.encode(Waits::NONE).unwrap_err();
        assert!(error.to_string().contains("embed: address"), "{error}");
        assert_eq!(Command::decode(&[0xff; 64]), Err(CodeError::Opcode(0xff)));
        assert_eq!(Waits::on(&[Unit::Load, Unit::Vector]).0, 0b101);
    }
}
