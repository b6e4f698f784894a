//! Checkpoints packed for the CPU: layer by layer, so that no more than one is in memory, and kept in a
//! cache, so that the next start only maps a file.

use crate::{Error, import::AnyCheckpoint};
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use std::{
    ops::Range,
    path::{Path, PathBuf},
};
use terntable_cpu::{
    image::{
        Fill, Header, Image, Layout, Part, VERSION, fill_norm, floats, sub_norms_missing, write_all,
    },
    rows::OFFSET,
    tile::{Shape, pack_into},
};
use terntable_golden::{
    head::{HeadRows, screen_weights},
    model::{Config, Layer},
    ternary::Ternary,
};

/// Packed models below this are made anew in memory at every start: it takes less than a second.
const WORTH_A_FILE: usize = 64 << 20;
/// The environment variable that asks for huge pages.
const HUGE_PAGES: &str = "TERNTABLE_HUGE_PAGES";
/// Rows of embedding and head that are read at a time: a multiple of a band's.
const ROWS: usize = 4096;

/// The packed model of a checkpoint, from the cache if it is there: then none of its tensors is read.
/// Packing draws a bar on a terminal.
pub fn open(checkpoint: &AnyCheckpoint, threads: usize) -> Result<Image, Error> {
    checkpoint.check_names()?;
    let (source, folder) = (source(checkpoint)?, folder());
    let path = folder.join(format!("{source}.tcpu"));
    if path.is_file() {
        return map(&path, threads);
    }
    let mut parts = CheckpointParts::new(checkpoint, source)?;
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0).with_style(style).with_message("packing");
    let progress = &mut |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let small = Layout::new(&parts.header())?.bytes() < WORTH_A_FILE;
    // A folder that cannot be written costs time at every start, and nothing else.
    if small || std::fs::create_dir_all(&folder).is_err() {
        return Ok(Image::build(&mut parts, progress)?);
    }
    Image::build_file(&mut parts, &path, progress)?;
    bar.finish_and_clear();
    map(&path, threads)
}

/// Maps a packed model; with [`HUGE_PAGES`] set to 1 copies it into huge pages.
pub fn map(path: &Path, threads: usize) -> Result<Image, Error> {
    let image = Image::open(path, threads)?;
    let huge = std::env::var_os(HUGE_PAGES).is_some_and(|value| value == "1");
    Ok(if huge { image.in_huge_pages()? } else { image })
}

/// The folder of packed models of this version, in the cache.
pub fn folder() -> PathBuf {
    terntable_testbench::build::cache_dir().join("cpu").join(VERSION.to_string())
}

/// Name and fingerprint of a checkpoint: of where its files lie, how long they are and when they were
/// written last.
fn source(checkpoint: &AnyCheckpoint) -> Result<String, Error> {
    let path = checkpoint.path();
    let mut files = vec![path.to_path_buf()];
    let unreadable = |source| Error::Read {
        path: path.into(),
        source,
        remedy: "give a checkpoint folder or file that can be read",
    };
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            files.push(entry.map_err(unreadable)?.path());
        }
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in &files {
        let info = std::fs::metadata(file).map_err(unreadable)?;
        let written =
            info.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        let place = file.canonicalize().unwrap_or_else(|_| file.clone());
        hash.update(format!("{} {} {written:?}\n", place.display(), info.len()));
    }
    let print: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = checkpoint.name().chars().take(80).map(plain).collect();
    Ok(format!("{name}-{print}"))
}

/// The parts of a checkpoint, read as they are asked for.
struct CheckpointParts<'a> {
    checkpoint: &'a AnyCheckpoint,
    source: String,
    bf16: bool,
    /// Sub-norms that the layers lack.
    missing: [bool; 2],
    /// The layer that is being packed.
    layer: (usize, Layer),
    scales: Vec<f32>,
    means: Vec<f32>,
    steps: Vec<f32>,
}

impl<'a> CheckpointParts<'a> {
    fn new(checkpoint: &'a AnyCheckpoint, source: String) -> Result<Self, Error> {
        let first = checkpoint.layer(0)?;
        let mut parts = Self {
            checkpoint,
            source,
            bf16: true,
            missing: sub_norms_missing(&first),
            layer: (0, first),
            scales: Vec::new(),
            means: Vec::new(),
            steps: Vec::new(),
        };
        for rows in parts.row_ranges() {
            let rows = checkpoint.embedding_rows(rows)?;
            if rows.iter().any(|v| v.to_bits() & 0xffff != 0) {
                parts.bf16 = false;
                break;
            }
        }
        Ok(parts)
    }

    fn config(&self) -> &Config {
        self.checkpoint.config()
    }

    fn row_ranges(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let vocab = self.config().vocab;
        (0..vocab).step_by(ROWS).map(move |from| from..vocab.min(from + ROWS))
    }

    fn layer(&mut self, index: usize) -> Result<&Layer, Error> {
        if self.layer.0 != index {
            self.layer = (index, self.checkpoint.layer(index)?);
        }
        Ok(&self.layer.1)
    }

    /// Real rows of embedding or head, a range at a time, each with its place in `out`.
    fn rows(
        &mut self,
        out: &mut [u8],
        bytes_of_rows: impl Fn(usize) -> usize,
        mut take: impl FnMut(&mut Self, Range<usize>, &mut [u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for rows in self.row_ranges() {
            let place = bytes_of_rows(rows.start)..out.len().min(bytes_of_rows(rows.end));
            take(self, rows, &mut out[place])?;
        }
        Ok(())
    }

    fn put(&mut self, part: Part, out: &mut [u8]) -> Result<(), Error> {
        let Config { hidden, .. } = *self.config();
        match part {
            Part::Embedding => {
                let bytes = if self.bf16 { 2 } else { 4 };
                self.rows(
                    out,
                    |row| row * hidden * bytes,
                    |this, rows, out| {
                        let rows = this.checkpoint.embedding_rows(rows)?;
                        match this.bf16 {
                            true => write_all(
                                out,
                                rows.iter().map(|v| ((v.to_bits() >> 16) as u16).to_le_bytes()),
                            ),
                            false => floats(out, &rows),
                        }
                        Ok(())
                    },
                )?;
            }
            Part::Rope => {
                let rope = self.checkpoint.rope()?;
                let rows = (0..self.config().context).flat_map(|position| rope.row(position));
                write_all(out, rows.flat_map(|(cos, sin)| [cos.to_le_bytes(), sin.to_le_bytes()]));
            }
            Part::Norm(layer, norm) => {
                let (missing, eps) = (self.missing, self.config().norm_eps);
                fill_norm(self.layer(layer)?, norm, missing, eps, out)?;
            }
            Part::LinearNorm(layer, projection) => {
                if let Some(norms) = &self.layer(layer)?.linear_norms {
                    floats(out, &norms.weights[projection as usize]);
                }
            }
            Part::Matrix(layer, projection) => {
                let matrix = &self.layer(layer)?.projections[projection as usize];
                pack_into(matrix, out);
                let scale = matrix.scale;
                self.scales.push(scale);
            }
            Part::Scales => floats(out, &self.scales),
            Part::LastNorm => floats(out, &self.checkpoint.norm()?),
            Part::Screen => {
                let bytes = |rows: usize| Shape { rows, cols: hidden }.bytes();
                self.rows(out, bytes, |this, rows, out| {
                    let count = rows.len();
                    let quantised = HeadRows::new(hidden, &this.checkpoint.head_rows(rows)?);
                    this.means.extend(quantised.means);
                    pack_into(&Ternary::new(count, hidden, quantised.trits, 1.0)?, out);
                    Ok(())
                })?;
            }
            Part::ScreenWeights => {
                write_all(out, screen_weights(&self.means).iter().map(|w| w.to_le_bytes()));
            }
            Part::HeadRows => {
                self.rows(
                    out,
                    |row| row * hidden,
                    |this, rows, out| {
                        let quantised = HeadRows::new(hidden, &this.checkpoint.head_rows(rows)?);
                        this.steps.extend(quantised.steps);
                        write_all(out, quantised.rows.iter().map(|&v| [v as u8 ^ OFFSET]));
                        Ok(())
                    },
                )?;
            }
            Part::HeadSteps => floats(out, &self.steps),
        }
        Ok(())
    }
}

impl Fill for CheckpointParts<'_> {
    fn header(&self) -> Header {
        let layer = &self.layer.1;
        Header {
            config: self.config().clone(),
            source: self.source.clone(),
            bf16: self.bf16,
            identity_sub_norms: self.missing,
            linear_norm_eps: layer.linear_norms.as_ref().map(|norms| norms.eps),
            checks: Vec::new(),
        }
    }

    fn fill(&mut self, part: Part, out: &mut [u8]) -> Result<(), terntable_cpu::Error> {
        self.put(part, out).map_err(|e| terntable_cpu::Error::Source(Box::new(e)))
    }
}
