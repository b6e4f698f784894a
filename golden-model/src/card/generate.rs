//! Files that come from the definitions of commands and cards: the RTL's packages and the reference
//! page.

use super::{
    command::{COMMANDS, CommandInfo, FieldInfo, Unit},
    config::{ACC_BITS, CardConfig},
};
use std::fmt::Write;

const NOTE: &str = "Written by `cargo xtask generate`.";

/// Longest line of the RTL.
const WIDTH: usize = 100;

/// A generated file: its path in the repository and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Path from the root of the repository.
    pub path: String,
    /// Content.
    pub text: String,
}

/// Every generated file.
pub fn all() -> Result<Vec<Generated>, crate::Error> {
    let mut files = vec![
        Generated { path: "rtl/card/tt_command_pkg.sv".into(), text: command_package() },
        Generated { path: "docs/commands.md".into(), text: command_page() },
    ];
    for name in CardConfig::names() {
        let path = format!("cards/{name}/tt_config_pkg.sv");
        files.push(Generated { path, text: config_package(&CardConfig::named(name)?) });
    }
    Ok(files)
}

/// `tt_command_pkg`: opcodes, units and a packed struct a command.
pub fn command_package() -> String {
    let mut text = format!(
        "/// The card's commands: 64 bytes, word 0 in bits 31:0. {NOTE}\n\
         package tt_command_pkg;\n  \
         /// What a command does: bits 7:0 of word 0.\n  \
         typedef enum logic [7:0] {{\n"
    );
    for (i, info) in COMMANDS.iter().enumerate() {
        let comma = if i + 1 < COMMANDS.len() { "," } else { "" };
        let _ = writeln!(text, "    Op{} = 8'h{:02x}{comma}", info.variant, info.opcode);
    }
    text += "  } opcode_e;\n\n  /// Bits of the wait mask, and numbers of the units.\n";
    for unit in Unit::ALL {
        let _ = writeln!(text, "  localparam int unsigned Unit{unit:?} = {};", unit as u8);
    }
    let _ =
        write!(text, "  /// Units.\n  localparam int unsigned Units = {};\n\n", Unit::ALL.len());
    for info in COMMANDS {
        text += &wrap("  /// ", &format!("{}: {}", info.name, info.doc));
        text += "  typedef struct packed {\n";
        for (bits, name, doc) in packed_fields(info).into_iter().rev() {
            let ty = if bits == 1 { "logic".into() } else { format!("logic [{}:0]", bits - 1) };
            let line = format!("    {ty:<14} {name};");
            let _ = match format!("{line:<36}// {doc}") {
                _ if doc.is_empty() => writeln!(text, "{line}"),
                short if short.len() <= WIDTH => writeln!(text, "{short}"),
                _ => writeln!(text, "{}{line}", wrap("    // ", doc)),
            };
        }
        let _ = write!(text, "  }} {}_t;\n\n", info.name);
    }
    text + "endpackage\n"
}

/// A comment in lines of at most [`WIDTH`] characters.
fn wrap(start: &str, words: &str) -> String {
    let (mut text, mut line) = (String::new(), start.trim_end().to_string());
    for word in words.split(' ') {
        if line.len() + 1 + word.len() > WIDTH {
            text += &format!("{line}\n");
            line = start.trim_end().into();
        }
        line += &format!(" {word}");
    }
    format!("{text}{line}\n")
}

/// The 512 bits of a command from bit 0 up: bits, name and meaning of fields and gaps.
fn packed_fields(info: &CommandInfo) -> Vec<(usize, String, &'static str)> {
    let mut fields = vec![(8, "opcode".into(), ""), (8, "waits".into(), "")];
    let (mut end, mut gaps) = (16, 0);
    let mut gap = |fields: &mut Vec<_>, bits| {
        if bits > 0 {
            fields.push((bits, format!("reserved{gaps}"), ""));
            gaps += 1;
        }
    };
    for field in info.fields {
        let at = 32 * field.word + field.low;
        gap(&mut fields, at - end);
        fields.push((field.bits, field.name.into(), field.doc));
        end = at + field.bits;
    }
    gap(&mut fields, 512 - end);
    fields
}

/// `docs/commands.md`.
pub fn command_page() -> String {
    let mut text = format!(
        "# Commands of the card\n\n{NOTE} The definition is `golden-model/src/card/command.rs`.\n\n\
         A command has 64 bytes: sixteen little-endian words of 32 bits, `w0` to `w15`. Bits 7:0 of w0\n\
         are the opcode, bits 15:8 the *wait mask*: the command starts when each unit whose bit is set has\n\
         finished all its commands that stand earlier in the program. A unit takes its commands in order.\n\
         Bits that no field names are reserved: written as zero, ignored.\n\n\
         Addresses have 40 bits and are multiples of a beat; bit 39 = 1 is an offset in the state region,\n\
         0 in the image region.\n\n| bit of the mask | unit |\n|---|---|\n"
    );
    for unit in Unit::ALL {
        let _ = writeln!(text, "| {} | {} |", unit as u8, format!("{unit:?}").to_lowercase());
    }
    text += "\n| opcode | command | unit |\n|---|---|---|\n";
    for info in COMMANDS {
        let unit = format!("{:?}", info.unit).to_lowercase();
        let _ =
            writeln!(text, "| 0x{:02x} | [{}](#{}) | {unit} |", info.opcode, info.name, info.name);
    }
    for info in COMMANDS {
        let _ = write!(text, "\n## {}\n\n0x{:02x}. {}\n", info.name, info.opcode, info.doc);
        if !info.fields.is_empty() {
            text += "\n| bits | field | |\n|---|---|---|\n";
        }
        for field in info.fields {
            let _ = writeln!(text, "| {} | `{}` | {} |", place(field), field.name, field.doc);
        }
    }
    text
}

/// Where a field lies: `w0[17:16]`, `w3`, or `w1, w2[7:0]`.
fn place(field: &FieldInfo) -> String {
    let FieldInfo { word, low, bits, .. } = *field;
    let part = |word: usize, low: usize, bits: usize| match bits {
        32 => format!("w{word}"),
        1 => format!("w{word}[{low}]"),
        _ => format!("w{word}[{}:{low}]", low + bits - 1),
    };
    if low + bits <= 32 {
        return part(word, low, bits);
    }
    let first = 32 - low;
    format!("{}, {}", part(word, low, first), part(word + 1, 0, bits - first))
}

/// `tt_config_pkg` of a card.
pub fn config_package(card: &CardConfig) -> String {
    let mut text =
        format!("/// Configuration of the card {}. {NOTE}\npackage tt_config_pkg;\n", card.name);
    let mut add = |name: &str, value: usize, doc: &str| {
        let _ = write!(text, "  /// {doc}\n  localparam int unsigned {name} = {value};\n");
    };
    for (name, value) in card.parameters() {
        add(name, value, parameter_doc(name));
    }
    add("BeatBytes", card.beat_bytes(), "Bytes of a beat of all ports.");
    add("BlockColumns", card.geometry().block_cols(), "Columns of a block.");
    add("ChunkRows", card.chunk_rows(), "Rows of a chunk of sums: lcm(Rows, Lanes).");
    add("AccBits", ACC_BITS, "Bits of a sum.");
    let hash = card.hash();
    let _ = write!(
        text,
        "  /// Hash of the configuration; the images made for this card carry it.\n  \
         localparam logic [63:0] ConfigHash = 64'h{:08x}_{:08x};\nendpackage\n",
        hash >> 32,
        hash & 0xffff_ffff
    );
    text
}

fn parameter_doc(name: &str) -> &'static str {
    match name {
        "Engines" => "Engines.",
        "Engine" => "How products are made: 0 by table lookup, 1 by selecting activations.",
        "DspSums" => "What the engine adds up in DSP blocks: 1 tables and trees, 2 all.",
        "Slots" => "Tokens of a pass.",
        "Rows" => "Rows of a tile.",
        "Groups" => "Groups of three columns of a block.",
        "Ports" => "AXI memory ports.",
        "PortBytes" => "Bytes of a port.",
        "PanelTiles" => "Tiles of the largest panel.",
        "Lanes" => "Vector lanes.",
        "PageRows" => "Positions of a KV page.",
        "ScoreLanes" => "Scores a cycle in attention.",
        "ScoreWords" => "Tiles of PageRows scores held on chip before spilling.",
        "ResidualWords" => "Words of Lanes binary32 of buffer X.",
        "WorkWords" => "Words of Lanes binary32 of buffer Y.",
        "ActBlocks" => "Blocks of buffer A, a word a block and slot.",
        "QueryWords" => "Words of BeatBytes int8 of buffer Q.",
        "ParamWords" => "Words of Lanes binary32 of a bank of buffer P.",
        "HeadDimMax" => "Elements of the largest head.",
        "HeadsMax" => "Query heads a slot.",
        "Candidates" => "Candidates a slot.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_512_bits() {
        for info in COMMANDS {
            assert_eq!(
                packed_fields(info).iter().map(|f| f.0).sum::<usize>(),
                512,
                "{}",
                info.name
            );
        }
    }

    #[test]
    fn places_read_as_the_page_says() {
        let place_of = |command: &str, field: &str| {
            let info = COMMANDS.iter().find(|info| info.name == command).unwrap();
            place(info.fields.iter().find(|f| f.name == field).unwrap())
        };
        assert_eq!(place_of("load", "address"), "w1, w2[7:0]");
        assert_eq!(place_of("load", "bank"), "w0[16]");
        assert_eq!(place_of("begin", "config_hash"), "w2, w3");
        assert_eq!(place_of("project", "kind"), "w0[17:16]");
    }

    #[test]
    fn no_parameter_is_without_words() {
        let card = CardConfig::named("kv260").unwrap();
        assert!(card.parameters().iter().all(|(name, _)| !parameter_doc(name).is_empty()));
    }
}
