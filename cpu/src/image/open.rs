//! Opening a packed model.

use super::{Header, Image, Layout, MAGIC, PREFIX};
use crate::Error;
use memmap2::Mmap;
use std::{fs::File, path::Path};

impl Image {
    /// Maps a file and checks it: the header, its length, and on `threads` threads every part.
    pub fn open(path: &Path, threads: usize) -> Result<Self, Error> {
        let failed = |source| Error::Io { path: path.into(), source };
        let file = File::open(path).map_err(failed)?;
        // SAFETY: packed models are written under another name, moved into place when whole, and not
        // changed afterwards.
        let bytes = unsafe { Mmap::map(&file) }.map_err(failed)?;
        let wrong = |text: String| Error::Image {
            path: path.into(),
            text: format!("{text}; remove the file, and it is packed again"),
        };
        let header = header(&bytes).map_err(wrong)?;
        let layout = Layout::new(&header).map_err(|e| wrong(e.to_string()))?;
        if layout.bytes() != bytes.len() {
            let (expected, found) = (layout.bytes(), bytes.len());
            return Err(wrong(format!("expected {expected} bytes for this model, found {found}")));
        }
        let parts = layout.parts();
        if header.checks.len() != parts.len() {
            let (expected, found) = (parts.len(), header.checks.len());
            return Err(wrong(format!("expected the checks of {expected} parts, found {found}")));
        }
        let damaged =
            |part: usize| crc32fast::hash(&bytes[parts[part].1.clone()]) != header.checks[part];
        let first = std::thread::scope(|scope| {
            let damaged = &damaged;
            let find =
                move |first| (first..parts.len()).step_by(threads).find(|&part| damaged(part));
            let others: Vec<_> = (1..threads).map(|i| scope.spawn(move || find(i))).collect();
            let found = others.into_iter().map(|thread| thread.join().unwrap_or(Some(0)));
            found.chain([find(0)]).flatten().min()
        });
        if let Some(part) = first {
            return Err(wrong(format!("{:?} is damaged: its CRC-32 differs", parts[part].0)));
        }
        Self::new(header, &layout, bytes)
    }
}

fn header(bytes: &[u8]) -> Result<Header, String> {
    let prefix = bytes.get(..PREFIX).filter(|prefix| prefix[..8] == MAGIC);
    let prefix = prefix.ok_or_else(|| {
        let magic = String::from_utf8_lossy(&MAGIC);
        format!("not a packed model of this version: it does not begin with {magic}")
    })?;
    let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| prefix[at + i]));
    let json = bytes.get(PREFIX..PREFIX + word(8) as usize);
    let json = json.ok_or("the file ends within its header")?;
    if crc32fast::hash(json) != word(12) {
        return Err("the header is damaged: its CRC-32 differs".into());
    }
    serde_json::from_slice(json).map_err(|e| format!("the header is of another version: {e}"))
}
