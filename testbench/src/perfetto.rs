//! A writer of traces that Perfetto (<https://ui.perfetto.dev>) and `chrome://tracing` open.
//!
//! The format is the JSON array of Chrome's trace events. Events go to the file as they come, so
//! memory stays bounded, and an array without its end is still read: a run that was killed leaves
//! a trace of what happened until then.

use crate::Error;
use std::{
    fmt::Write as _,
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

/// A trace file that is being written. Dropping it completes the file.
pub struct TraceWriter {
    out: BufWriter<File>,
    path: PathBuf,
    line: String,
    events: u64,
    failed: bool,
}

/// The tracks of a process.
pub type Process = u32;
/// A track of spans.
pub type Track = u32;

impl TraceWriter {
    /// Creates the file.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(|e| Error::file("create", path, e))?;
        let mut writer = TraceWriter {
            out: BufWriter::with_capacity(1 << 20, file),
            path: path.to_owned(),
            line: String::new(),
            events: 0,
            failed: false,
        };
        writer.put("[");
        Ok(writer)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Events so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Names a process: a group of tracks.
    pub fn process(&mut self, process: Process, name: &str) {
        self.event(|line| {
            let _ = write!(line, r#""ph":"M","pid":{process},"name":"process_name","args":"#);
            named(line, name);
        });
    }

    /// Names a track; tracks are shown in the order of their numbers.
    pub fn track(&mut self, process: Process, track: Track, name: &str) {
        self.event(|line| {
            let _ = write!(line, r#""ph":"M","pid":{process},"tid":{track},"name":"thread_name","#);
            line.push_str(r#""args":"#);
            named(line, name);
        });
        self.event(|line| {
            let _ = write!(line, r#""ph":"M","pid":{process},"tid":{track},"#);
            let _ = write!(line, r#""name":"thread_sort_index","args":{{"sort_index":{track}}}"#);
        });
    }

    /// A stretch of time on a track, with some numbers to it.
    pub fn span(
        &mut self,
        process: Process,
        track: Track,
        name: &str,
        start_ps: u64,
        end_ps: u64,
        numbers: &[(&str, f64)],
    ) {
        self.event(|line| {
            let _ = write!(line, r#""ph":"X","pid":{process},"tid":{track},"ts":"#);
            micros(line, start_ps);
            line.push_str(r#","dur":"#);
            micros(line, end_ps.saturating_sub(start_ps));
            line.push_str(r#","name":"#);
            quote(line, name);
            if !numbers.is_empty() {
                line.push_str(r#","args":"#);
                object(line, numbers);
            }
        });
    }

    /// The value of some counters of one name from this time on.
    pub fn counter(&mut self, process: Process, name: &str, at_ps: u64, numbers: &[(&str, f64)]) {
        self.event(|line| {
            let _ = write!(line, r#""ph":"C","pid":{process},"ts":"#);
            micros(line, at_ps);
            line.push_str(r#","name":"#);
            quote(line, name);
            line.push_str(r#","args":"#);
            object(line, numbers);
        });
    }

    /// A moment, for all tracks.
    pub fn instant(&mut self, process: Process, name: &str, at_ps: u64) {
        self.event(|line| {
            let _ = write!(line, r#""ph":"i","s":"g","pid":{process},"tid":0,"ts":"#);
            micros(line, at_ps);
            line.push_str(r#","name":"#);
            quote(line, name);
        });
    }

    /// Writes what is buffered to the file.
    pub fn flush(&mut self) -> Result<(), Error> {
        let flushed = self.out.flush();
        if self.failed || flushed.is_err() {
            return Err(Error::file("write", &self.path, "the disk may be full"));
        }
        Ok(())
    }

    fn event(&mut self, fill: impl FnOnce(&mut String)) {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        line.push_str(if self.events == 0 { "\n{" } else { ",\n{" });
        fill(&mut line);
        line.push('}');
        self.put(&line);
        self.line = line;
        self.events += 1;
    }

    fn put(&mut self, text: &str) {
        self.failed |= self.out.write_all(text.as_bytes()).is_err();
    }
}

impl Drop for TraceWriter {
    fn drop(&mut self) {
        self.put("\n]\n");
        let _ = self.out.flush();
    }
}

/// Picoseconds as microseconds, exactly.
fn micros(line: &mut String, ps: u64) {
    let (whole, rest) = (ps / 1_000_000, ps % 1_000_000);
    let _ = if rest == 0 { write!(line, "{whole}") } else { write!(line, "{whole}.{rest:06}") };
}

fn named(line: &mut String, name: &str) {
    line.push_str(r#"{"name":"#);
    quote(line, name);
    line.push('}');
}

fn object(line: &mut String, numbers: &[(&str, f64)]) {
    line.push('{');
    for (i, (name, value)) in numbers.iter().enumerate() {
        if i > 0 {
            line.push(',');
        }
        quote(line, name);
        // JSON has no infinities.
        let _ = write!(line, ":{}", if value.is_finite() { *value } else { 0.0 });
    }
    line.push('}');
}

fn quote(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                line.push('\\');
                line.push(c);
            }
            c if c < ' ' => {
                let _ = write!(line, "\\u{:04x}", c as u32);
            }
            c => line.push(c),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_json_with_exact_times() {
        let path = std::env::temp_dir().join(format!("perfetto-{}.json", std::process::id()));
        let mut writer = TraceWriter::create(&path).unwrap();
        writer.process(1, "a \"card\"\n");
        writer.track(1, 3, "vector");
        writer.span(1, 3, "gate\\up", 4000, 12_000, &[("rows", 7.0), ("share", 0.25)]);
        writer.counter(1, "beats", 1_234_567_890, &[("read", f64::NAN)]);
        writer.instant(1, "error", 2_000_000);
        assert_eq!(writer.events(), 6);
        writer.flush().unwrap();
        drop(writer);
        let text = std::fs::read_to_string(&path).unwrap();
        let events: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(events[0]["args"]["name"], "a \"card\"\n");
        assert_eq!(events[3]["ts"].as_f64().unwrap(), 0.004);
        assert_eq!(events[3]["dur"].as_f64().unwrap(), 0.008);
        assert_eq!(
            (&events[3]["name"], &events[3]["args"]["rows"]),
            (&"gate\\up".into(), &7.into())
        );
        assert_eq!(events[4]["ts"].as_f64().unwrap(), 1234.56789);
        assert_eq!(events[4]["args"]["read"], 0);
        assert_eq!(events.as_array().unwrap().len(), 6);
        std::fs::remove_file(path).unwrap();
    }
}
