//! Configurations of the card: the numbers that RTL, compiler and golden card model share.

use crate::{Error, head::CANDIDATES, pack::Geometry};
use serde::Deserialize;

/// Bits of a sum on the card.
pub const ACC_BITS: usize = 24;
/// Most slots: a mask names 32 rows.
const MAX_SLOTS: usize = 32;

/// How the engine makes its products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// By lookup in tables of the activations' sums.
    #[default]
    Table,
    /// By selecting activations, without tables.
    Select,
}

/// A card.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardConfig {
    /// Its name: the name of its folder and file in `cards/`.
    pub name: String,
    /// Engines side by side: each has its part of the rows of every tile.
    pub engines: usize,
    /// How the engine makes its products.
    pub engine: Engine,
    /// What the engine adds up in DSP blocks: 0 nothing, 1 tables and trees, 2 partial sums as well.
    pub dsp_sums: usize,
    /// Tokens of a pass (S).
    pub slots: usize,
    /// Rows of a tile, of all engines together.
    pub rows: usize,
    /// Groups of three columns of a block.
    pub groups: usize,
    /// AXI memory ports.
    pub ports: usize,
    /// Bytes of a port.
    pub port_bytes: usize,
    /// Tiles of the largest panel.
    pub panel_tiles: usize,
    /// Vector lanes (L).
    pub lanes: usize,
    /// Positions of a KV page (P).
    pub page_rows: usize,
    /// Scores a cycle in attention.
    pub score_lanes: usize,
    /// Tiles of `page_rows` scores held on chip before spilling.
    pub score_words: usize,
    /// Words of L binary32 of buffer X.
    pub residual_words: usize,
    /// Words of L binary32 of buffer Y.
    pub work_words: usize,
    /// Blocks of buffer A, a word a block and slot.
    pub act_blocks: usize,
    /// Words of a beat of int8 of buffer Q.
    pub query_words: usize,
    /// Words of L binary32 of a bank of buffer P.
    pub param_words: usize,
    /// Elements of the largest head.
    pub head_dim_max: usize,
    /// Query heads a slot.
    pub heads_max: usize,
    /// Candidates a slot (C).
    pub candidates: usize,
    /// The card's memory.
    pub memory: Memory,
}

/// The memory of a card; no part of the configuration hash.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// What it is made of.
    pub kind: String,
    /// Its size.
    pub bytes: u64,
}

/// The configurations that come with the program.
const BUNDLED: [(&str, &str); 3] = [
    ("sim-small", include_str!("../../../cards/sim-small.toml")),
    ("kv260", include_str!("../../../cards/kv260.toml")),
    ("alveo", include_str!("../../../cards/alveo.toml")),
];

impl CardConfig {
    /// Names of the bundled configurations.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUNDLED.iter().map(|(name, _)| *name)
    }

    /// A bundled configuration.
    pub fn named(name: &str) -> Result<Self, Error> {
        match BUNDLED.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::parse(text),
            None => Err(Error::Config(format!(
                "no card is called {name:?}; expected {} or the path of a card's TOML file",
                Self::names().collect::<Vec<_>>().join(", ")
            ))),
        }
    }

    /// Parses and checks a TOML text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let card: Self = toml::from_str(text)
            .map_err(|e| Error::Config(format!("not the configuration of a card: {e}")))?;
        card.check()?;
        Ok(card)
    }

    /// Bytes of a beat of all ports.
    pub fn beat_bytes(&self) -> usize {
        self.ports * self.port_bytes
    }

    /// The shape of a beat of weights.
    pub fn geometry(&self) -> Geometry {
        Geometry { rows: self.rows, groups: self.groups, beat_bytes: self.beat_bytes() }
    }

    /// Rows of a chunk of sums: the least common multiple of tile rows and lanes.
    pub fn chunk_rows(&self) -> usize {
        let (mut a, mut b) = (self.rows, self.lanes);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        self.rows / a * self.lanes
    }

    /// `bytes` rounded up to whole beats.
    pub fn pad(&self, bytes: usize) -> usize {
        bytes.next_multiple_of(self.beat_bytes())
    }

    /// The numbers that the configuration hash covers: what RTL and images are built for.
    pub fn parameters(&self) -> [(&'static str, usize); 21] {
        [
            ("Engines", self.engines),
            ("Engine", self.engine as usize),
            ("DspSums", self.dsp_sums),
            ("Slots", self.slots),
            ("Rows", self.rows),
            ("Groups", self.groups),
            ("Ports", self.ports),
            ("PortBytes", self.port_bytes),
            ("PanelTiles", self.panel_tiles),
            ("Lanes", self.lanes),
            ("PageRows", self.page_rows),
            ("ScoreLanes", self.score_lanes),
            ("ScoreWords", self.score_words),
            ("ResidualWords", self.residual_words),
            ("WorkWords", self.work_words),
            ("ActBlocks", self.act_blocks),
            ("QueryWords", self.query_words),
            ("ParamWords", self.param_words),
            ("HeadDimMax", self.head_dim_max),
            ("HeadsMax", self.heads_max),
            ("Candidates", self.candidates),
        ]
    }

    /// The configuration hash: FNV-1a of the lines `Name=value` of [`CardConfig::parameters`]. Card and
    /// image must agree on it.
    pub fn hash(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for (name, value) in self.parameters() {
            for byte in format!("{name}={value}\n").bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        hash
    }

    /// Checks what the layouts need.
    pub fn check(&self) -> Result<(), Error> {
        let fail = |text: String| Err(Error::Config(format!("card {:?}: {text}", self.name)));
        for (name, value) in self.parameters() {
            let least = usize::from(!matches!(name, "Engine" | "DspSums"));
            if value < least || value > 1 << 24 {
                return fail(format!("{name} is {value}; expected {least} to 2^24"));
            }
        }
        let name_is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || self.name.len() > 31 || !self.name.chars().all(name_is_plain) {
            return fail("expected a name of 1 to 31 letters, digits, - and _".into());
        }
        let beat = self.beat_bytes();
        let geometry = self.geometry();
        let rules = [
            (self.slots <= MAX_SLOTS, "at most 32 slots"),
            (
                self.dsp_sums <= 2 && (self.dsp_sums == 0 || self.engine == Engine::Table),
                "dsp_sums = 0 to 2, and 0 unless engine = \"table\"",
            ),
            (self.dsp_sums == 0 || self.groups <= 32, "at most 32 groups with dsp_sums"),
            (self.rows.is_multiple_of(self.engines), "rows that the engines share evenly"),
            (self.groups.is_multiple_of(5), "a number of groups that is a multiple of 5"),
            (
                beat.is_power_of_two() && (16..=128).contains(&beat),
                "Ports * PortBytes to be a power of two from 16 to 128",
            ),
            (geometry.rows * geometry.row_bytes() <= beat, "a tile to fit a beat"),
            (
                64_usize.is_multiple_of(self.lanes) && self.lanes * 4 <= beat,
                "lanes that divide 64, L * 4 bytes within a beat",
            ),
            (self.page_rows.is_power_of_two(), "PageRows to be a power of two"),
            (self.candidates == CANDIDATES, "256 candidates"),
            (
                self.act_blocks * geometry.block_cols() <= 65_535,
                "ActBlocks * 3 * Groups to be at most 65,535: sums have 24 bits",
            ),
            (
                self.head_dim_max.is_multiple_of(2 * self.lanes),
                "HeadDimMax to be a multiple of 2 L",
            ),
            (self.heads_max <= 255, "at most 255 heads"),
            (
                self.panel_tiles >= 2 * self.chunk_rows() / self.rows,
                "a panel to hold lcm(Rows, L) rows of two planes",
            ),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, expected)) => fail(format!("expected {expected}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundled_cards_are_valid_and_their_hashes_pinned() {
        let hashes: Vec<(String, u64)> = CardConfig::names()
            .map(|name| {
                let card = CardConfig::named(name).unwrap();
                assert_eq!(card.name, name);
                (card.name.clone(), card.hash())
            })
            .collect();
        println!("{hashes:x?}");
        assert_eq!(CardConfig::named("kv260").unwrap().geometry(), Geometry::KV260);
        assert_eq!(CardConfig::named("sim-small").unwrap().geometry(), Geometry::SIM_SMALL);
        assert_eq!(CardConfig::named("kv260").unwrap().chunk_rows(), 56);
    }

    #[test]
    fn the_hash_covers_every_parameter_and_not_the_memory() {
        let card = CardConfig::named("sim-small").unwrap();
        let mut other = card.clone();
        other.memory.bytes += 1;
        assert_eq!(other.hash(), card.hash());
        other.score_words += 1;
        assert_ne!(other.hash(), card.hash());
        other = CardConfig { engine: Engine::Select, ..card.clone() };
        assert_ne!(other.hash(), card.hash());
        other = CardConfig { dsp_sums: 1, ..card.clone() };
        assert_ne!(other.hash(), card.hash());
    }

    #[test]
    fn impossible_cards_are_refused() {
        let text = BUNDLED[0].1;
        let refused = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            CardConfig::parse(&text.replace(from, to)).unwrap_err().to_string()
        };
        assert!(refused("lanes = 4", "lanes = 3").contains("divide 64"));
        assert!(refused("slots = 4", "slots = 0").contains("Slots is 0"));
        assert!(refused("slots = 4", "slots = 33").contains("at most 32"));
        assert!(refused("ports = 1", "ports = 3").contains("power of two"));
        assert!(refused("rows = 5", "rows = 6").contains("fit a beat"));
        assert!(refused("slots = 4", "slots = 4\nsolts = 4").contains("solts"));
        assert!(refused("slots = 4", "").contains("slots"));
        assert!(refused("engine = \"table\"", "engine = \"tables\"").contains("tables"));
        assert!(refused("dsp_sums = 0", "dsp_sums = 3").contains("0 to 2"));
        let both = ("engine = \"table\"\ndsp_sums = 0", "engine = \"select\"\ndsp_sums = 1");
        assert!(refused(both.0, both.1).contains("engine = \"table\""));
        assert!(CardConfig::named("none").unwrap_err().to_string().contains("sim-small, kv260"));
    }
}
